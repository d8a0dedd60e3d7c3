import { createClient } from "picoauth-client";
import { createWalletClient, custom } from "viem";
import type { EIP1193Provider } from "viem";

import { signInWithViem } from "./wagmi";

const transport = custom(window.ethereum as EIP1193Provider);
const [account] = await createWalletClient({ transport }).requestAddresses();
const session = await signInWithViem(createClient({ url: PICOAUTH_URL }), createWalletClient({ account: account!, transport }));
document.body.append(session.subject);
