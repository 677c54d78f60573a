/* When a launch that does not come back has hung: after longer than a stall of the machine and many times the
 * prediction.
 *
 * A board that was given up and then answers after all was only slow. Where the launch was a long one the prediction is
 * wrong, and without more time such texts would be given up wherever they run. So long launches may take a timeout
 * scale times as long, which is learned.
 *
 * Invariants: a pool that hangs in what it mostly does is known within two seconds, unless that takes long, whatever
 * the scale. The scale is 1 to WATCHDOG_MAX_SCALE, is at most doubled by launches that began with the same, and wears
 * off with those that end well.
 */
#ifndef BERTD_BATCH_WATCHDOG_H
#define BERTD_BATCH_WATCHDOG_H

#define WATCHDOG_MAX_SCALE 16

struct watchdog {
    double base;  /* >= 1; multiplies what long launches may take, for machines that are slow in another way */
    double scale; /* the timeout scale learned so far */
};

/** Begin with nothing learned. `base` below 1 counts as 1. */
void watchdog_init(struct watchdog *watchdog, double base);
/** Nanoseconds that a launch may take that was predicted to take `predicted_ns` and began with scale `then`. */
double watchdog_limit_ns(const struct watchdog *watchdog, double predicted_ns, double then);
/** Learn from a launch that was given up as hung and was only slow. */
void watchdog_was_slow(struct watchdog *watchdog, double predicted_ns, double then);
/** Learn from a launch that ended well. */
void watchdog_was_fine(struct watchdog *watchdog);

#endif
