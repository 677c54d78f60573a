/* With accel/xrt/host a bertd-xrt-host whose card has what emulation lacks: a driver that lets nobody load another
 * xclbin while a process uses the card. Where XRT asks xocl, its driver, this asks the file that BERTD_TEST_DRIVER
 * names: whoever has an xclbin on the card has a lock on the file, in which is the xclbin's UUID. What is thrown is
 * what XRT throws where the driver answers EBUSY (2.13 and 2.25: ishim.h, load_axlf). */
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>

#include <experimental/xrt_xclbin.h>
#include <xrt/xrt_device.h>

namespace
{

/* Held until the file is closed, so until this process ends; the device process does not get it. */
bool lock(int file, short kind)
{
    struct flock whole = {};
    whole.l_type = kind;
    whole.l_whence = SEEK_SET;
    return fcntl(file, F_OFD_SETLK, &whole) == 0;
}

bool may_load(const std::string &uuid)
{
    int file = open(getenv("BERTD_TEST_DRIVER"), O_RDWR | O_CLOEXEC);
    char there[64] = "";
    if (lock(file, F_WRLCK)) /* nobody uses the card */
        return pwrite(file, uuid.c_str(), uuid.size(), 0) == (ssize_t)uuid.size() && lock(file, F_RDLCK);
    return lock(file, F_RDLCK) && pread(file, there, sizeof there - 1, 0) > 0 && uuid == there;
}

} // namespace

/* This one is found before the library's. */
xrt::uuid xrt::device::load_xclbin(const xrt::xclbin &xclbin)
{
    if (!may_load(xclbin.get_uuid().to_string()))
        throw std::system_error(EBUSY, std::system_category(), "failed to load xclbin");
    return load_xclbin(xclbin.get_axlf());
}
