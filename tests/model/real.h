/* The real model, all-MiniLM-L6-v2, for the tests that need trained weights. */
#ifndef BERTD_TESTS_MODEL_REAL_H
#define BERTD_TESTS_MODEL_REAL_H

/** Its directory: $BERTD_TEST_MODEL, or where deploy/run puts it. Skips the test, with a word, where there is none. */
const char *real_model(void);

#endif
