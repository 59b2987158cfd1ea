// Weights as GGUF files hold them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cmlx {

/// A file's types of blocks, numbered as in the C header: integers of 2 to 8 bits, with scales and in
/// some types minima for every 16 or 32 of them.
enum class BlockType { q4_0, q4_1, q8_0, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k };
constexpr int64_t block_columns(BlockType type) { return type < BlockType::q2_k ? 32 : 256; }
constexpr size_t block_bytes(BlockType type) {
  constexpr size_t bytes[] = {18, 20, 34, 22, 24, 84, 110, 144, 176, 210};
  return bytes[int(type)];
}

/// 32 weights: number i is `scale · scales[i / 16] · (q[i] - zero) - least · leasts[i / 16]`, where `scale`
/// and `least` are half-precision and `zero` is the type's.
struct HalvedBlock {
  uint16_t scale, least;
  int8_t scales[2];
  uint8_t leasts[2];
  uint8_t q[32];
};
/// Whether 32 weights of this type are such a block, and do their integers fit in nibbles.
constexpr bool is_halved(BlockType type) { return type > BlockType::q8_0; }
constexpr bool has_nibbles(BlockType type) {
  return type < BlockType::q8_0 || (type >= BlockType::q2_k && type <= BlockType::q4_k);
}
constexpr int zero(BlockType type) {
  return type == BlockType::q5_0 ? 16 : type == BlockType::q3_k ? 4 : type == BlockType::q6_k ? 32 : 0;
}
/// A block of a file, as one or, where it has 256 columns, eight of 32. For types that `is_halved`.
void unpack(BlockType type, const uint8_t *block, HalvedBlock *out);

}  // namespace cmlx
