"""Judges tokens with PyJWT under the rules of the Python resource server, pico-client-auth.

These are: the algorithm is an accepted one; the key is that of the kid, in the set that the issuer serves under
/api/v1/auth/jwks, used for the algorithms that are accepted; iss and aud are the configured ones; PyJWT checks exp, nbf
and iat without any leeway. Refresh tokens are not told apart.
"""

import json
import sys
import urllib.request

import jwt

given = json.load(sys.stdin)
accepted = ["RS256", "ES256", "EdDSA"]

with urllib.request.urlopen(given["jwks"], timeout=10) as reply:
    keys = {key["kid"]: key for key in json.load(reply)["keys"]}


def verify(token):
    header = jwt.get_unverified_header(token)
    if header["alg"] not in accepted:
        raise ValueError(f"algorithm {header['alg']} is not accepted")
    return jwt.decode(
        token,
        jwt.PyJWK(dict(keys[header["kid"]])).key,
        algorithms=accepted,
        issuer=given["issuer"],
        audience=given["audience"],
    )


verdicts = {}
for name, token in given["tokens"].items():
    try:
        verify(token)
        verdicts[name] = None
    except Exception as reason:  # a refusal of any kind
        verdicts[name] = f"{type(reason).__name__}: {reason}"
json.dump(verdicts, sys.stdout)
