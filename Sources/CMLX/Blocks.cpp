#include "Blocks.hpp"

#include <cstring>

using namespace cmlx;

namespace {

uint16_t half_at(const uint8_t *p) {
  uint16_t value;
  std::memcpy(&value, p, 2);
  return value;
}

/// Q5_0: scale, 32 fifth bits, nibbles (the first 16 weights are the lower ones); Q5_1: and a minimum.
void unpack_5(bool has_least, const uint8_t *block, HalvedBlock &out) {
  // A minimum is added in the file and subtracted here.
  out = {half_at(block), uint16_t(has_least ? half_at(block + 2) ^ 0x8000 : 0), {1, 1}, {1, 1}, {}};
  const uint8_t *high = block + (has_least ? 4 : 2), *low = high + 4;
  for (int i = 0; i < 32; ++i) {
    const int bit = high[i / 8] >> i % 8 & 1;
    out.q[i] = uint8_t((i < 16 ? low[i] & 15 : low[i - 16] >> 4) | bit << 4);
  }
}

/// Two bits of weight i of 256: four blocks of 32 share 32 bytes.
int two_bits(const uint8_t *q, int b, int i) { return q[b / 4 * 32 + i] >> 2 * (b % 4) & 3; }

void unpack_2k(const uint8_t *block, HalvedBlock *out) {
  const uint8_t *scales = block, *q = block + 16;
  for (int b = 0; b < 8; ++b) {
    out[b] = {half_at(block + 80), half_at(block + 82), {}, {}, {}};
    for (int h = 0; h < 2; ++h) {
      out[b].scales[h] = int8_t(scales[2 * b + h] & 15);
      out[b].leasts[h] = scales[2 * b + h] >> 4;
    }
    for (int i = 0; i < 32; ++i) out[b].q[i] = uint8_t(two_bits(q, b, i));
  }
}

void unpack_3k(const uint8_t *block, HalvedBlock *out) {
  const uint8_t *high = block, *q = block + 32, *scales = block + 96;
  for (int b = 0; b < 8; ++b) {
    out[b] = {half_at(block + 108), 0, {}, {0, 0}, {}};
    for (int h = 0; h < 2; ++h) {
      // Four lower bits, and two upper ones behind them; stored 32 higher.
      const int i = 2 * b + h, low = i < 8 ? scales[i] & 15 : scales[i - 8] >> 4;
      out[b].scales[h] = int8_t((low | (scales[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32);
    }
    for (int i = 0; i < 32; ++i)
      out[b].q[i] = uint8_t(two_bits(q, b, i) | (high[i] >> b & 1) << 2);
  }
}

/// The scale and minimum of eight blocks, six bits each in twelve bytes.
void scales_of_k(const uint8_t *p, int b, HalvedBlock &out) {
  const int scale = b < 4 ? p[b] & 63 : (p[b + 4] & 15) | p[b - 4] >> 6 << 4;
  const int least = b < 4 ? p[b + 4] & 63 : p[b + 4] >> 4 | p[b] >> 6 << 4;
  for (int h = 0; h < 2; ++h) {
    out.scales[h] = int8_t(scale);
    out.leasts[h] = uint8_t(least);
  }
}

/// Q4_K and Q5_K: pairs of blocks share 32 bytes of nibbles.
void unpack_45k(bool five, const uint8_t *block, HalvedBlock *out) {
  const uint8_t *high = block + 16, *low = block + (five ? 48 : 16);
  for (int b = 0; b < 8; ++b) {
    out[b] = {half_at(block), half_at(block + 2), {}, {}, {}};
    scales_of_k(block + 4, b, out[b]);
    for (int i = 0; i < 32; ++i) {
      const int nibble = low[b / 2 * 32 + i] >> 4 * (b % 2) & 15;
      out[b].q[i] = uint8_t(nibble | (five ? high[i] >> b & 1 : 0) << 4);
    }
  }
}

void unpack_6k(const uint8_t *block, HalvedBlock *out) {
  const uint8_t *low = block, *high = block + 128, *scales = block + 192;
  for (int b = 0; b < 8; ++b) {
    const int group = b / 4, t = b % 4;
    out[b] = {half_at(block + 208), 0, {int8_t(scales[2 * b]), int8_t(scales[2 * b + 1])}, {0, 0}, {}};
    for (int i = 0; i < 32; ++i) {
      const int nibble = low[64 * group + t % 2 * 32 + i] >> 4 * (t / 2) & 15;
      out[b].q[i] = uint8_t(nibble | (high[32 * group + i] >> 2 * t & 3) << 4);
    }
  }
}

}  // namespace

void cmlx::unpack(BlockType type, const uint8_t *block, HalvedBlock *out) {
  switch (type) {
    case BlockType::q4_0:
    case BlockType::q4_1:
    case BlockType::q8_0: return;
    case BlockType::q5_0: return unpack_5(false, block, *out);
    case BlockType::q5_1: return unpack_5(true, block, *out);
    case BlockType::q2_k: return unpack_2k(block, out);
    case BlockType::q3_k: return unpack_3k(block, out);
    case BlockType::q4_k: return unpack_45k(false, block, out);
    case BlockType::q5_k: return unpack_45k(true, block, out);
    case BlockType::q6_k: return unpack_6k(block, out);
  }
}
