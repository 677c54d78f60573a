/* When a launch that does not come back has hung: after longer than a stall of the machine and many times the
 * prediction.
 *
 * A board that was given up and then answers after all was only slow. Where the launch was a long one the prediction is
 * wrong, and without patience such texts would be given up wherever they run: it multiplies what long launches may
 * take.
 *
 * Invariants: a pool that hangs in what it mostly does is known within two seconds, unless that takes long, whatever
 * the patience; this is 1 to WATCHDOG_MOST_PATIENCE, at most doubled by launches that began with the same, and wears
 * off with those that end well.
 */
#ifndef BERTD_BATCH_WATCHDOG_H
#define BERTD_BATCH_WATCHDOG_H

#define WATCHDOG_MOST_PATIENCE 16

/** So long a launch may take that was predicted to take `predicted_ns`. */
double watchdog_limit_ns(double predicted_ns, double patience);
/** Patience after a launch that was given up for hung, and was slow; it began with patience `then`. */
double watchdog_was_slow(double patience, double then, double predicted_ns);
/** Patience after a launch that ended well. */
double watchdog_was_fine(double patience);

#endif
