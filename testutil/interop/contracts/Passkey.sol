// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A wallet that accepts what a passkey signs: authenticator data and client data that holds the hash as its challenge. The
/// curve is secp256k1 in place of P-256, which this EVM has no precompile for; the length and the form are those of a passkey.
contract Passkey {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (bytes memory authenticator, string memory before, string memory rest, uint8 v, bytes32 r, bytes32 s) =
            abi.decode(signature, (bytes, string, string, uint8, bytes32, bytes32));
        bytes32 client = sha256(abi.encodePacked(before, hex32(hash), rest));
        require(ecrecover(sha256(abi.encodePacked(authenticator, client)), v, r, s) == owner, "not the owner's");
        return this.isValidSignature.selector;
    }

    function hex32(bytes32 value) private pure returns (string memory) {
        bytes memory digits = "0123456789abcdef";
        bytes memory text = new bytes(64);
        for (uint256 i = 0; i < 32; i++) {
            text[2 * i] = digits[uint8(value[i]) >> 4];
            text[2 * i + 1] = digits[uint8(value[i]) & 15];
        }
        return string(text);
    }
}
