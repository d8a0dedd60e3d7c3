// An EVM in this process. It compiles nothing: what is deployed is compiled by solc, or comes from a package.
module.exports = { solidity: "0.8.26", networks: { hardhat: { chainId: 31337, hardfork: "prague" } } };
