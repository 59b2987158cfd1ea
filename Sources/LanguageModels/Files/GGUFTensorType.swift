/// How a GGUF tensor's weights are stored: one row of ggml's table of types.
package struct GGUFTensorType: Sendable {
  /// ggml's name, such as `Q4_1`.
  package let name: String
  /// Weights in one block; a row of a tensor holds whole blocks.
  package let blockElementCount: Int
  /// Bytes of one block.
  package let blockByteCount: Int

  /// Whether ``GGUFTensor/dequantize(into:)`` decodes this type.
  package var isReadable: Bool { decoder != nil }

  /// The readable types, for messages.
  static let readableNames =
    "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K or Q6_K"

  /// The type that a file calls `code`; nil for one that gguf 0.19 does not know.
  static func numbered(_ code: UInt32) -> GGUFTensorType? { table[code] }

  // Types that cannot be decoded are here for their sizes, so that a file that has them can be
  // listed and refused by name.
  private static let table: [UInt32: GGUFTensorType] = [
    0: .init("F32", 1, 4), 1: .init("F16", 1, 2), 30: .init("BF16", 1, 2),
    2: .init("Q4_0", 32, 18), 3: .init("Q4_1", 32, 20),
    6: .init("Q5_0", 32, 22), 7: .init("Q5_1", 32, 24),
    8: .init("Q8_0", 32, 34), 9: .init("Q8_1", 32, 40),
    10: .init("Q2_K", 256, 84), 11: .init("Q3_K", 256, 110), 12: .init("Q4_K", 256, 144),
    13: .init("Q5_K", 256, 176), 14: .init("Q6_K", 256, 210), 15: .init("Q8_K", 256, 292),
    16: .init("IQ2_XXS", 256, 66), 17: .init("IQ2_XS", 256, 74), 18: .init("IQ3_XXS", 256, 98),
    19: .init("IQ1_S", 256, 50), 20: .init("IQ4_NL", 32, 18), 21: .init("IQ3_S", 256, 110),
    22: .init("IQ2_S", 256, 82), 23: .init("IQ4_XS", 256, 136), 29: .init("IQ1_M", 256, 56),
    24: .init("I8", 1, 1), 25: .init("I16", 1, 2), 26: .init("I32", 1, 4),
    27: .init("I64", 1, 8), 28: .init("F64", 1, 8),
    34: .init("TQ1_0", 256, 54), 35: .init("TQ2_0", 256, 66),
    39: .init("MXFP4", 32, 17), 40: .init("NVFP4", 64, 36), 41: .init("Q1_0", 128, 18),
  ]

  private init(_ name: String, _ blockElementCount: Int, _ blockByteCount: Int) {
    self.name = name
    self.blockElementCount = blockElementCount
    self.blockByteCount = blockByteCount
  }
}

extension GGUFTensorType: Equatable, CustomStringConvertible {
  package var description: String { name }
}
