import Foundation
import LanguageModels

/// What reads files that nobody vouches for, as the fuzzer calls it and as the tests repeat it.
///
/// `Tests/Fuzz/run` compiles this file as well, so that a regression runs through the very code
/// that failed. An error is no failure: only a crash, a hang or memory beyond bounds is.
enum FuzzTarget: String, CaseIterable {
  case gguf, safetensors, tokenizer, template

  /// Runs the readers on `bytes`, with files in `folder`.
  func run(_ bytes: UnsafeRawBufferPointer, in folder: String) {
    do {
      switch self {
      case .gguf: try readGGUF(bytes, folder)
      case .safetensors: try readSafetensors(bytes, folder)
      case .tokenizer: try readTokenizer(bytes, folder)
      case .template: try render(bytes)
      }
    } catch {
      // Making the message reads what the file said, too.
      precondition(!"\(error)".isEmpty)
    }
  }

  private func readGGUF(_ bytes: UnsafeRawBufferPointer, _ folder: String) throws {
    let file = try GGUFFile(path: store(bytes, folder, "model.gguf"))
    for tensor in file.tensors where tensor.elementCount <= 1 << 20 {
      _ = tensor.storedBytes.bytes.last
      if tensor.type.isReadable { _ = try tensor.floats() } else { _ = try? tensor.floats() }
    }
  }

  /// The first byte chooses: a file, or the index of a folder with two honest shards.
  private func readSafetensors(_ bytes: UnsafeRawBufferPointer, _ folder: String) throws {
    guard let first = bytes.first else { return }
    let rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
    let single = (folder as NSString).appendingPathComponent(SafetensorsCheckpoint.fileName)
    if first % 2 == 0 {
      _ = try store(rest, folder, SafetensorsCheckpoint.fileName)
    } else {
      unlink(single)
      _ = try store(rest, folder, SafetensorsCheckpoint.indexName)
      for (name, tensor) in [("one", "a"), ("two", "b")] {
        let path = (folder as NSString).appendingPathComponent("\(name).safetensors")
        if access(path, F_OK) != 0 {
          try SafetensorsFile.write([.init(name: tensor, shape: [1], values: [1])], to: path)
        }
      }
    }
    for tensor in try SafetensorsCheckpoint(folder: folder).tensors {
      _ = tensor.storedBytes.bytes.last
      _ = try? tensor.floats()
    }
  }

  /// The tokenizer in a GGUF file's metadata, a `tokenizer.json` or a `tokenizer.model`, by how the
  /// bytes begin.
  private func readTokenizer(_ bytes: UnsafeRawBufferPointer, _ folder: String) throws {
    let tokenizer: Tokenizer
    if bytes.first == UInt8(ascii: "{") {
      tokenizer = try Tokenizer(json: store(bytes, folder, "tokenizer.json"))
    } else if bytes.first == UInt8(ascii: "G") {
      let file = try GGUFFile(path: store(bytes, folder, "tokenizer.gguf"))
      tokenizer = try Tokenizer(file)
      _ = try ChatTemplate(file, tokenizer: tokenizer)
    } else {
      tokenizer = try Tokenizer(
        TokenizerDescription(sentencePiece: store(bytes, folder, "tokenizer.model")))
    }
    let ids = tokenizer.encode("Hi, 123  world's é\u{301} 日本\n<|im_start|>\u{0}", addSpecial: true)
    _ = tokenizer.decode(ids)
  }

  private func render(_ bytes: UnsafeRawBufferPointer) throws {
    var template = try ChatTemplate(
      String(decoding: bytes, as: UTF8.self), bosToken: "<s>", eosToken: "</s>")
    // Fewer than by default, so that the fuzzer tries more templates in the same time.
    template.limits.steps = 50_000
    template.limits.bytes = 1 << 20
    let messages = [
      ChatMessage(role: "system", content: "Be brief."),
      ChatMessage(role: "user", content: " Größe? \n"),
      ChatMessage(role: "assistant", content: "<think>x</think>12"),
    ]
    _ = try template.render(messages, addGenerationPrompt: true)
  }

  /// Writes `bytes` and returns the path; not atomically, since speed is all.
  private func store(
    _ bytes: UnsafeRawBufferPointer, _ folder: String, _ name: String
  ) throws -> String {
    let path = (folder as NSString).appendingPathComponent(name)
    guard let file = fopen(path, "wb") else { throw POSIXError(.EIO) }
    fwrite(bytes.baseAddress, 1, bytes.count, file)
    fclose(file)
    return path
  }
}
