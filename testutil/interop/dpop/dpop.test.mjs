// Tokens that are bound to keys of npm's dpop and oauth4webapi, at a server whose routes want nonces.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import * as dpop from 'dpop'
import * as oauth from 'oauth4webapi'

const url = process.env.PICOAUTH_URL
const auth = `${url}/api/v1/auth`
const profile = `${url}/api/profile`

/** post sends JSON, with a proof where there is one. */
async function post(path, body, proof) {
  const headers = { 'Content-Type': 'application/json', ...(proof && { DPoP: proof }) }
  const reply = await fetch(auth + path, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: reply.status, ...(await reply.json()) }
}

const proofFor = (keys, path) => dpop.generateProof(keys, auth + path, 'POST')

/** signIn signs in as a new raw key. */
async function signIn(keys) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const address = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
  const { challenge } = await post('/challenge', { address, algorithm: 'Ed25519' })
  const signature = sign(null, Buffer.from(challenge), privateKey).toString('hex')
  return post('/sign-in', { address, public_key: address, challenge, signature, algorithm: 'Ed25519' }, keys && (await proofFor(keys, '/sign-in')))
}

const call = (scheme, token, proof) =>
  fetch(profile, { headers: { Authorization: `${scheme} ${token}`, ...(proof && { DPoP: proof }) } })

for (const algorithm of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
  test(`dpop with ${algorithm}`, async () => {
    const keys = await dpop.generateKeyPair(algorithm)
    const jkt = await dpop.calculateThumbprint(keys.publicKey)
    const first = await signIn(keys)
    assert.equal(first.token_type, 'DPoP')
    assert.equal(JSON.parse(Buffer.from(first.access_token.split('.')[1], 'base64url')).cnf.jkt, jkt)

    const withoutNonce = await call('DPoP', first.access_token, await dpop.generateProof(keys, profile, 'GET', undefined, first.access_token))
    assert.equal(withoutNonce.status, 401)
    assert.match(withoutNonce.headers.get('www-authenticate'), /^DPoP algs="ES256 EdDSA RS256 PS256", error="use_dpop_nonce"/)
    const nonce = withoutNonce.headers.get('dpop-nonce')
    const proof = await dpop.generateProof(keys, profile, 'GET', nonce, first.access_token)
    assert.equal((await call('DPoP', first.access_token, proof)).status, 200)
    const again = await call('DPoP', first.access_token, proof)
    assert.equal(again.status, 401)
    assert.match(again.headers.get('www-authenticate'), /error="invalid_dpop_proof"/)
    assert.equal((await call('Bearer', first.access_token)).status, 401)
    const stranger = await dpop.generateKeyPair('ES256')
    assert.equal((await call('DPoP', first.access_token, await dpop.generateProof(stranger, profile, 'GET', nonce, first.access_token))).status, 401)

    const refresh = { refresh_token: first.refresh_token }
    assert.equal((await post('/refresh', refresh)).code, 'dpop_key_mismatch')
    assert.equal((await post('/refresh', refresh, await proofFor(stranger, '/refresh'))).code, 'dpop_key_mismatch')
    assert.equal((await post('/refresh', refresh, await proofFor(keys, '/sign-in'))).code, 'invalid_dpop_proof')
    const used = await proofFor(keys, '/refresh')
    const second = await post('/refresh', refresh, used)
    assert.equal(second.status, 200)
    assert.equal(second.token_type, 'DPoP')
    assert.equal((await post('/refresh', { refresh_token: second.refresh_token }, used)).code, 'invalid_dpop_proof')
  })
}

test('an unbound session is bound by a refresh', async () => {
  const first = await signIn()
  assert.equal(first.token_type, 'Bearer')
  const keys = await dpop.generateKeyPair('ES256')
  const bound = await post('/refresh', { refresh_token: first.refresh_token }, await proofFor(keys, '/refresh'))
  assert.equal(bound.token_type, 'DPoP')
  assert.equal((await post('/refresh', { refresh_token: bound.refresh_token })).code, 'dpop_key_mismatch')
})

for (const algorithm of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
  test(`oauth4webapi with ${algorithm}`, async () => {
    const insecure = { [oauth.allowInsecureRequests]: true }
    const issuer = new URL(url)
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
    assert.deepEqual(as.dpop_signing_alg_values_supported, ['ES256', 'EdDSA', 'RS256', 'PS256'])
    const client = { client_id: 'reports' }
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(algorithm))
    const secret = oauth.ClientSecretBasic(process.env.PICOAUTH_CLIENT_SECRET)
    const tokens = await oauth.processClientCredentialsResponse(as, client,
      await oauth.clientCredentialsGrantRequest(as, client, secret, new URLSearchParams(), { DPoP, ...insecure }))
    assert.equal(tokens.token_type, 'dpop') // oauth4webapi writes it in lower case
    const ask = () => oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(profile), new Headers(), null, { DPoP, ...insecure })
    await assert.rejects(ask(), (error) => oauth.isDPoPNonceError(error))
    for (let n = 0; n < 3; n++) {
      assert.equal((await ask()).status, 200)
    }
  })
}
