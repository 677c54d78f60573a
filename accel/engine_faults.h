/* The faults that an engine was told to make (engine_inject): when they are due, and where. Private to accel. */
#ifndef BERTD_ACCEL_ENGINE_FAULTS_H
#define BERTD_ACCEL_ENGINE_FAULTS_H

#include "accel/engine.h"

/** Zeroed: none. */
struct engine_faults {
    unsigned armed; /* enum engine_fault */
    uint32_t wait;  /* products yet to be spared */
    uint64_t random;
};

void engine_faults_arm(struct engine_faults *faults, unsigned mask, uint64_t seed);
/** A product in which `possible` may happen: those that do. They are armed no more. */
unsigned engine_faults_due(struct engine_faults *faults, unsigned possible);
/** Where: 0 .. limit - 1. */
size_t engine_faults_below(struct engine_faults *faults, size_t limit);
/** n values of hidden states were written: flip a bit of them if that is armed. */
void engine_faults_hidden(struct engine_faults *faults, float *hidden, size_t n);

#endif
