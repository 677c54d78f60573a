# Corrections to src/microhttpd of libmicrohttpd 1.0.1. In connection.c, each a fault that a client can reach.

# A chunk's extension: the line ends behind its LF, not at it. Else the LF is taken for the chunk's first byte.
s/chunk_size_line_len = i;/chunk_size_line_len = i + 1;/

# A chunk's line that does not fit is answered once. The second answer makes the first vanish, and the connection hang.
/ERR_MSG_REQUEST_CHUNK_LINE_EXT_TOO_BIG);/a return;

# A chunk larger than any --payload-limit is refused when it is announced, as one of 17 digits is.
s/broken = (0 == num_dig);/broken = (0 == num_dig) || (chunk_size > 0x40000000);/

# What is no request is answered like any malformed one before its connection is closed.
/^#define transmit_error_response_static(/i \
#define refuse_line(c, why) transmit_error_response_static (c, MHD_HTTP_BAD_REQUEST, REQUEST_MALFORMED)
/^get_request_line_inner/,/^}/s/connection_close_error (c,/refuse_line (c,/
/^handle_recv_no_space/,/^}/s/connection_close_error (c,/refuse_line (c,/

# In memorypool.c, a cost: a connection's 64 KiB were cleared twice a request, a tenth of the event thread's time and more
# of the caches than a request needs. Nobody reads what he has not written.
/technically not needed, but safer to zero out/,/^  }/d
/memset (block, 0, block_size);/d
/memset (.*old.*, 0, old_size.*);/d
