/* Which fault of list.txt the simulated engine has; 0, or nothing said: none. */
#include <stdlib.h>

int bertd_mutant_number(void);

int bertd_mutant_number(void)
{
    const char *number = getenv("BERTD_MUTANT");
    return number ? atoi(number) : 0;
}
