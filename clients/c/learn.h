/* What answers at an endpoint: read from GET /info, or from GET /v1/models where there is no such path. */
#ifndef BERTD_CLIENT_LEARN_H
#define BERTD_CLIENT_LEARN_H

#include "clients/c/call.h"

/** Read the answer 200 of /info.
 *  ret  new; bertd_free. NULL: it is not the /info of a server that is known
 *  Errors: NO_MEMORY */
enum bertd_status bertd_learn_info(const struct bertd_client *client, const struct bertd_endpoint *endpoint,
                                   const struct bertd_bytes *answer, struct bertd_info **ret, struct bertd_error *err);
/** Read the answer 200 of /v1/models; the model is the client's option or the only one that is served.
 *  answer        NULL: there is no such path, which will do where the client names a model
 *  model_needed  whether it is an error that there are several
 *  Errors: PROTOCOL; INVALID: several; NO_MEMORY */
enum bertd_status bertd_learn_models(const struct bertd_client *client, const struct bertd_endpoint *endpoint,
                                     const struct bertd_bytes *answer, bool model_needed, struct bertd_info **ret,
                                     struct bertd_error *err);
/** What a client has to know of it; names stay the info's. */
struct bertd_knowledge bertd_learn_knowledge(const struct bertd_info *info);

#endif
