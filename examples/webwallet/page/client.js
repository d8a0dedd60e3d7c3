// The one client of this page, from the server itself.

import { createClient } from "/api/v1/auth/client.js";

export const client = createClient();
