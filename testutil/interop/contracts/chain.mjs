// An EVM (hardhat, in this process) with contract wallets on it, behind HTTP: JSON-RPC at /, and at /do what the wallets'
// owners do, {action, wallet, message} → {result}. The first line that it prints is its URL. It ends with its standard input.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import {
  concat, createPublicClient, createWalletClient, custom, encodeAbiParameters, encodeFunctionData, getAddress, hashMessage, parseAbi, sha256, stringToHex, zeroAddress,
} from 'viem'
import { generatePrivateKey, privateKeyToAccount, sign } from 'viem/accounts'
import { hardhat } from 'viem/chains'

const require = createRequire(import.meta.url)
const { provider } = require('hardhat').network
const client = createPublicClient({ chain: hardhat, transport: custom(provider) })
const [first] = await provider.request({ method: 'eth_accounts', params: [] })
const sender = createWalletClient({ account: first, chain: hardhat, transport: custom(provider) })
const mined = async (hash) => {
  const receipt = await client.waitForTransactionReceipt({ hash })
  if (receipt.status !== 'success') throw new Error('a transaction has failed')
  return receipt
}

const artifact = (path) => require(`@safe-global/safe-contracts/build/artifacts/contracts/${path}.json`)
const deploy = async ({ abi, bytecode }, args = []) => {
  const receipt = await mined(await sender.deployContract({ abi, bytecode, args }))
  return { abi, address: receipt.contractAddress }
}
const singleton = await deploy(artifact('Safe.sol/Safe'))
const factory = await deploy(artifact('proxies/SafeProxyFactory.sol/SafeProxyFactory'))
const handler = await deploy(artifact('handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler'))
const signLib = await deploy(artifact('libraries/SignMessageLib.sol/SignMessageLib'))

const newKey = () => {
  const key = generatePrivateKey()
  return Object.assign(privateKeyToAccount(key), { key })
}
let salt = 0n
const creation = (owners, threshold) => {
  const init = encodeFunctionData({
    abi: singleton.abi, functionName: 'setup',
    args: [owners.map((o) => o.address), threshold, zeroAddress, '0x', handler.address, zeroAddress, 0n, zeroAddress],
  })
  return [singleton.address, init, salt++]
}
// newSafe returns a Safe that its owners sign for, deployed or not yet.
const newSafe = async (size, deployed) => {
  const owners = Array.from({ length: size }, newKey).sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1))
  const call = { address: factory.address, abi: factory.abi, functionName: 'createProxyWithNonce', args: creation(owners, BigInt(size)), account: first }
  const { result: address, request } = await client.simulateContract(call)
  if (deployed) await mined(await sender.writeContract(request))
  const signed = async (message) => {
    const typed = {
      domain: { chainId: hardhat.id, verifyingContract: address }, types: { SafeMessage: [{ name: 'message', type: 'bytes' }] },
      primaryType: 'SafeMessage', message: { message: hashMessage(message) },
    }
    return concat(await Promise.all(owners.map((owner) => owner.signTypedData(typed))))
  }
  if (deployed) return { address, owners, sign: signed }
  const wrap = (signature) => concat([
    encodeAbiParameters([{ type: 'address' }, { type: 'bytes' }, { type: 'bytes' }], [factory.address, encodeFunctionData(call), signature]),
    `0x${'6492'.repeat(16)}`,
  ])
  return { address, owners, sign: async (message) => wrap(await signed(message)), deploy: async () => mined(await sender.writeContract(request)) }
}
// execute has a Safe do something, by the signatures of its owners.
const execute = async (safe, to, data, operation) => {
  const contract = { address: safe.address, abi: singleton.abi }
  const rest = [to, 0n, data, operation, 0n, 0n, 0n, zeroAddress, zeroAddress]
  const nonce = await client.readContract({ ...contract, functionName: 'nonce' })
  const hash = await client.readContract({ ...contract, functionName: 'getTransactionHash', args: [...rest, nonce] })
  const signature = concat(await Promise.all(safe.owners.map((owner) => sign({ hash, privateKey: owner.key, to: 'hex' }))))
  await mined(await sender.writeContract({ ...contract, functionName: 'execTransaction', args: [...rest, signature] }))
}

const compile = (file) => {
  const input = {
    language: 'Solidity', sources: { [file]: { content: readFileSync(new URL(file, import.meta.url), 'utf8') } },
    settings: { evmVersion: 'paris', outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
  }
  const output = JSON.parse(require('solc').compile(JSON.stringify(input)))
  const [contract] = Object.values(output.contracts?.[file] ?? {})
  if (!contract) throw new Error(JSON.stringify(output.errors))
  return { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` }
}
const newPasskey = async () => {
  const owner = newKey()
  const { address } = await deploy(compile('Passkey.sol'), [owner.address])
  const before = '{"type":"webauthn.get","challenge":"'
  const rest = `","origin":"https://app.example.com","crossOrigin":false,"other":"${'x'.repeat(600)}"}`
  const authenticator = `0x${'a5'.repeat(37)}`
  return {
    address, owners: [owner],
    sign: async (message) => {
      const clientData = sha256(stringToHex(before + hashMessage(message).slice(2) + rest))
      const { r, s, v } = await sign({ hash: sha256(concat([authenticator, clientData])), privateKey: owner.key })
      return encodeAbiParameters(
        [{ type: 'bytes' }, { type: 'string' }, { type: 'string' }, { type: 'uint8' }, { type: 'bytes32' }, { type: 'bytes32' }],
        [authenticator, before, rest, Number(v), r, s])
    },
  }
}
// newDelegated returns an ordinary account whose code is that of a Safe (EIP-7702).
const newDelegated = async () => {
  const owner = newKey()
  const own = createWalletClient({ account: owner, chain: hardhat, transport: custom(provider) })
  const authorization = await own.signAuthorization({ contractAddress: singleton.address })
  await mined(await sender.sendTransaction({ to: owner.address, authorizationList: [authorization], gas: 500000n }))
  const code = await client.getCode({ address: owner.address })
  if (!code?.startsWith('0xef0100')) throw new Error(`the account is not delegated: ${code}`)
  return { address: owner.address, owners: [owner], sign: (message) => owner.signMessage({ message }) }
}

const wallets = {
  one: await newSafe(1, true), three: await newSafe(3, true), undeployed: await newSafe(2, false), passkey: await newPasskey(), delegated: await newDelegated(),
}
let calls = 0
const actions = {
  address: (wallet) => getAddress(wallet.address),
  sign: (wallet, message) => wallet.sign(message),
  deploy: async (wallet) => void (await wallet.deploy()),
  // The owner that signs leaves, and another one comes.
  replaceOwner: async (wallet) => {
    const data = encodeFunctionData({
      abi: singleton.abi, functionName: 'swapOwner', args: ['0x0000000000000000000000000000000000000001', wallet.owners[0].address, newKey().address],
    })
    await execute(wallet, wallet.address, data, 0)
  },
  // All owners sign on the chain; the signature of the message is empty from then on.
  approve: async (wallet, message) => {
    const data = encodeFunctionData({ abi: parseAbi(['function signMessage(bytes)']), functionName: 'signMessage', args: [hashMessage(message)] })
    await execute(wallet, signLib.address, data, 1)
  },
  calls: () => calls,
}

const answer = async (path, body) => {
  if (path === '/do') return { result: await actions[body.action](wallets[body.wallet], body.message) }
  if (body.method === 'eth_call') calls++
  try {
    return { jsonrpc: '2.0', id: body.id, result: await provider.request({ method: body.method, params: body.params }) }
  } catch (e) {
    return { jsonrpc: '2.0', id: body.id, error: { code: e.code, message: e.message, data: e.data } }
  }
}
const server = createServer(async (request, reply) => {
  let text = ''
  for await (const chunk of request) text += chunk
  try {
    reply.end(JSON.stringify(await answer(request.url, JSON.parse(text))))
  } catch (e) {
    reply.writeHead(500).end(JSON.stringify({ error: String(e?.stack ?? e) }))
  }
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
process.stdin.on('end', () => process.exit(0)).resume()
