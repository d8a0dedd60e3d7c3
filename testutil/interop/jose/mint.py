"""Makes tokens of the form that the Python auth server, pico-server-auth 0.2, issues: {jwks, tokens: {name: token}}.

RS256 with a fixed kid and "typ": "JWT"; sub, iss, aud, iat, exp and role; no jti, sid or nbf. A refresh token is signed
with the same key and says so in "type". Each token is made by PyJWT and by python-jose, which that server uses.
"""

import json
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwt as python_jose
from jwt.algorithms import RSAAlgorithm

given = json.load(sys.stdin)
key_id = "pico-server-auth-1"
now = int(time.time())

private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = private.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
numbers = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
published = {"kty": "RSA", "kid": key_id, "alg": "RS256", "use": "sig", "n": numbers["n"], "e": numbers["e"]}


def claims(subject, minutes, **more):
    return {"sub": subject, "iss": given["issuer"], "aud": given["audience"], "iat": now, "exp": now + minutes * 60, **more}


address = "302a300506032b6570032100" + "ab" * 20
forms = {
    "wallet": claims(address, 15, role="wallet", algorithm="Ed25519", wallet_address=address),
    "admin": claims("admin@pico.local", 15, role="admin"),
    "refresh": claims("admin@pico.local", 7 * 24 * 60, type="refresh"),
    "expired": claims("admin@pico.local", -15, role="admin"),
}
libraries = {
    "PyJWT": lambda form: jwt.encode(form, pem, algorithm="RS256", headers={"kid": key_id}),
    "python-jose": lambda form: python_jose.encode(form, pem, algorithm="RS256", headers={"kid": key_id}),
}
json.dump(
    {
        "jwks": {"keys": [published]},
        "tokens": {f"{form} by {library}": make(forms[form]) for form in forms for library, make in libraries.items()},
    },
    sys.stdout,
)
