"""A USIM written for the tests alone, so that the core's AKA is checked by something that shares no code with it.

AES-128 of FIPS 197, encryption only; Milenage of TS 35.206; AUTS of TS 33.102 §6.3.3.
"""

import base64
import hmac


def _tables():
    """The S-box of FIPS 197 §5.1.1, from its definition."""
    exp, log, x = [0] * 256, [0] * 256, 1
    for i in range(255):
        exp[i], log[x] = x, i
        x ^= (x << 1) ^ (0x11B if x & 0x80 else 0)
        x &= 0xFF
    box = []
    for b in range(256):
        inv = exp[(255 - log[b]) % 255] if b else 0
        s = inv
        for n in range(1, 5):
            s ^= ((inv << n) | (inv >> (8 - n))) & 0xFF
        box.append(s ^ 0x63)
    return box


SBOX = _tables()


def _double(b):
    return ((b << 1) ^ (0x1B if b & 0x80 else 0)) & 0xFF


def _round_keys(key):
    words, rcon = [key[i:i + 4] for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        w = words[-1]
        if i % 4 == 0:
            w = bytes(SBOX[w[(j + 1) % 4]] ^ (rcon if j == 0 else 0) for j in range(4))
            rcon = _double(rcon)
        words.append(bytes(a ^ b for a, b in zip(words[i - 4], w)))
    return [b"".join(words[i:i + 4]) for i in range(0, 44, 4)]


def aes(key, block):
    """One block."""
    keys = _round_keys(key)
    s = xor(block, keys[0])
    for rnd in range(1, 11):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]	# SubBytes and ShiftRows
        if rnd < 10:
            mixed = []
            for c in range(0, 16, 4):
                col = s[c:c + 4]
                total = col[0] ^ col[1] ^ col[2] ^ col[3]
                mixed += [col[j] ^ total ^ _double(col[j] ^ col[(j + 1) % 4]) for j in range(4)]
            s = mixed
        s = xor(bytes(s), keys[rnd])
    return s


def xor(a, b):
    """Octet by octet."""
    return bytes(x ^ y for x, y in zip(a, b))


def opc_of(k, op):
    """OPc from OP (TS 35.206 §4.1)."""
    return xor(aes(k, op), op)


def _rotate(block, bits):
    n = bits // 8
    return block[n:] + block[:n]


def _out(k, opc, rand, rotation, constant):
    temp = aes(k, xor(rand, opc))
    mixed = _rotate(xor(temp, opc), rotation)
    return xor(aes(k, xor(mixed, bytes(15) + bytes([constant]))), opc)


def f1(k, opc, rand, sqn, amf):
    """(MAC-A, MAC-S)."""
    temp = aes(k, xor(rand, opc))
    in1 = (sqn + amf) * 2
    out = xor(aes(k, xor(temp, _rotate(xor(in1, opc), 64))), opc)
    return out[:8], out[8:]


def f2345(k, opc, rand):
    """(RES, CK, IK, AK, AK of AUTS)."""
    out2 = _out(k, opc, rand, 0, 1)
    return (out2[8:], _out(k, opc, rand, 32, 2), _out(k, opc, rand, 64, 4), out2[:6], _out(k, opc, rand, 96, 8)[:6])


class Usim:
    """Answers challenges; `sqn` is the highest sequence number that it has seen."""

    def __init__(self, k, opc, sqn=0):
        self.k, self.opc, self.sqn = k, opc, sqn
        self.ck = self.ik = b""		# of the last challenge that was accepted

    def answer(self, nonce):
        """(RES, None), or (None, AUTS) when the sequence number is not fresh.  ValueError: not from our home network."""
        rand, autn = nonce[:16], nonce[16:32]
        res, ck, ik, ak, ak_star = f2345(self.k, self.opc, rand)
        sqn = xor(autn[:6], ak)
        if f1(self.k, self.opc, rand, sqn, autn[6:8])[0] != autn[8:16]:
            raise ValueError("the MAC of AUTN is wrong")
        if int.from_bytes(sqn, "big") <= self.sqn:
            mine = self.sqn.to_bytes(6, "big")
            return None, xor(mine, ak_star) + f1(self.k, self.opc, rand, mine, bytes(2))[1]
        self.sqn, self.ck, self.ik = int.from_bytes(sqn, "big"), ck, ik
        return res, None


def akav2_password(res, ik, ck, digest):
    """The password of AKAv2 (RFC 4169 §3); digest: "md5" or "sha256"."""
    return base64.b64encode(hmac.new(res + ik + ck, b"http-digest-akav2-password", digest).digest())


def selftest():
    """Test set 1 of TS 35.208 §4.3 and the example of FIPS 197 appendix B."""
    h = bytes.fromhex
    assert aes(h("2b7e151628aed2a6abf7158809cf4f3c"), h("3243f6a8885a308d313198a2e0370734")) == h("3925841d02dc09fbdc118597196a0b32")
    k, op = h("465b5ce8b199b49faa5f0a2ee238a6bc"), h("cdc202d5123e20f62b6d676ac72cb318")
    opc, rand = opc_of(k, op), h("23553cbe9637a89d218ae64dae47bf35")
    assert opc == h("cd63cb71954a9f4e48a5994e37a02baf")
    assert f1(k, opc, rand, h("ff9bb4d0b607"), h("b9b9")) == (h("4a9ffac354dfafb3"), h("01cfaf9ec4e871e9"))
    assert f2345(k, opc, rand) == (h("a54211d5e3ba50bf"), h("b40ba9a3c58b2a05bbf0d987b21bf8cb"), h("f769bcd751044604127672711c6d3441"),
                                   h("aa689c648370"), h("451e8beca43b"))


if __name__ == "__main__":
    selftest()
    print("ok")
