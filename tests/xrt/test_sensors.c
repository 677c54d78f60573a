/* XRT's reports, shaped as xrt-smi prints them as JSON. No card has written these: what is not understood is not told.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "accel/xrt/host/host_sensors.h"

Test(sensors, of_a_card_that_tells_all)
{
    struct xrt_sensors now;
    host_sensors_read(
        &now,
        "{\"thermals\": [{\"location_id\": \"pcb_top_front\", \"temp_C\": \"90\", \"is_present\": \"true\"},"
        " {\"location_id\": \"fpga0\", \"temp_C\": \"41\", \"is_present\": \"true\"},"
        " {\"location_id\": \"FPGA HBM\", \"temp_C\": \"47\", \"is_present\": \"true\"},"
        " {\"location_id\": \"fpga_hbm\", \"temp_C\": \"99\", \"is_present\": \"false\"}]}",
        "{\"power_consumption_watts\": \"31.25\"}",
        "{\"board\": {\"memory\": {\"memories\": ["
        " {\"tag\": \"DDR[0]\", \"extended_info\": {\"ecc\": {\"error\":"
        "   {\"correctable\": {\"count\": \"3\"}, \"uncorrectable\": {\"count\": \"1\"}}}}},"
        " {\"tag\": \"PLRAM[0]\"},"
        " {\"tag\": \"DDR[1]\", \"extended_info\": {\"ecc\": {\"error\":"
        "   {\"correctable\": {\"count\": 2}, \"uncorrectable\": {\"count\": 0}}}}}]}}}");
    cr_assert_eq(now.temperature, 47);
    cr_assert_eq(now.power, 31.25);
    cr_assert_eq(now.ecc_errors, 6);
}

Test(sensors, of_one_that_tells_nothing)
{
    static const char *const reports[] = {
        "", "{}", "[1]", "\"N/A\"",
        "{\"thermals\": [{\"location_id\": \"fpga0\", \"temp_C\": \"0\", \"is_present\": \"false\"}],"
        " \"power_consumption_watts\": \"N/A\", \"board\": {\"memory\": []}}"};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        struct xrt_sensors now;
        host_sensors_read(&now, reports[i], reports[i], reports[i]);
        cr_assert(isnan(now.temperature) && isnan(now.power) && isnan(now.ecc_errors), "%s", reports[i]);
    }
}
