/// A file of `torch.save`: what it holds as plain values and tensors.
///
/// Python's pickles are programs. This reader knows the few instructions with which nested
/// dictionaries, lists, numbers, texts and tensors are written, and the handful of names that
/// PyTorch puts there for tensors; anything else is refused, and nothing is ever executed.
package struct TorchFile: Sendable {
  package let path: String
  /// What was saved.
  package let root: Value

  /// One saved value.
  package indirect enum Value: Sendable {
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case text(String)
    case list([Value])
    /// Keys and values in their order.
    case dictionary([(key: Value, value: Value)])
    case tensor(Tensor)

    /// The value under a key that is a text.
    package subscript(key: String) -> Value? {
      guard case .dictionary(let pairs) = self else { return nil }
      return pairs.last { if case .text(let text) = $0.key { text == key } else { false } }?.value
    }

    package var int: Int? { if case .int(let value) = self { value } else { nil } }
    package var text: String? { if case .text(let value) = self { value } else { nil } }
    package var tensor: Tensor? { if case .tensor(let value) = self { value } else { nil } }
  }

  /// A saved tensor: row-major, and its elements in the file.
  package struct Tensor: Sendable {
    package let shape: [Int]
    let type: SafetensorsType
    let bytes: Range<Int>
    let file: MappedFile

    /// All elements as fp32.
    package func floats() throws(ModelFileError) -> [Float] {
      guard let decode = type.decoder else { preconditionFailure("PyTorch has no such storage") }
      return try [Float](count: bytes.count / type.byteCount) { (output) throws(ModelFileError) in
        file.withBytes { all in
          guard let source = all.baseAddress, let target = output.baseAddress else { return }
          decode(source + bytes.lowerBound, output.count, target)
        }
      }
    }
  }

  /// Reads the file at `path`; tensors stay on the disk, mapped.
  ///
  /// - Throws: ``ModelFileError`` where it is no such file, is damaged, or holds objects.
  package init(path: String) throws(ModelFileError) {
    let file = try MappedFile(path: path)
    let zip = try StoredZip(file)
    let pickles = zip.members.filter { $0.key.hasSuffix("/data.pkl") }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw .malformed(
        .init(
          path: path, expected: "a file of torch.save with one `data.pkl`",
          found: "\(pickles.count) of \(zip.members.count) members",
          remedy: "name a file of torch.save"))
    }
    try zip.check(pickle.key, in: file)
    let folder = pickle.key.dropLast("data.pkl".count)
    if let order = zip.members["\(folder)byteorder"] {
      let text = file.withBytes { String(decoding: $0[order.range], as: UTF8.self) }
      guard text == "little" else {
        throw .unsupported(
          .init(
            path: path, expected: "little-endian numbers", found: quoted(text),
            remedy: "save it on another machine"))
      }
    }
    let machine = PickleMachine(file: file, zip: zip, folder: String(folder))
    self.path = path
    root = try file.withBytes { (bytes) throws(ModelFileError) in
      try machine.run(UnsafeRawBufferPointer(rebasing: bytes[pickle.value.range]))
    }
  }
}

/// Reads the instructions of one pickle, protocols 2 to 4, as far as tensors in containers need.
private struct PickleMachine {
  let file: MappedFile
  let zip: StoredZip
  let folder: String

  /// What stands on the machine's stack.
  private indirect enum Item {
    case mark
    case value(TorchFile.Value)
    /// A name that PyTorch's files refer to.
    case global(Global)
    /// A stretch of elements in a member.
    case storage(SafetensorsType, Range<Int>)
    case tuple([Item], depth: Int)
    /// Containers are filled after they were remembered, so they are shared.
    case container(Container)
  }

  private final class Container {
    var pairs: [(Item, Item)] = []
    var items: [Item] = []
    let isList: Bool
    init(isList: Bool) { self.isList = isList }
  }

  /// All containers of one pickle, which are emptied one by one in the end: a cycle would keep itself,
  /// and a long chain would be freed by as deep a recursion.
  private final class Containers {
    private var all: [Container] = []

    func make(isList: Bool) -> Item {
      let container = Container(isList: isList)
      all.append(container)
      return .container(container)
    }

    func empty() {
      for container in all { (container.pairs, container.items) = ([], []) }
    }
  }

  private let containers = Containers()

  private enum Global {
    case orderedDictionary, rebuildTensor, rebuildParameter
    case storage(SafetensorsType)
  }

  private static let globals: [String: Global] = [
    "collections OrderedDict": .orderedDictionary,
    "torch._utils _rebuild_tensor_v2": .rebuildTensor,
    "torch._utils _rebuild_parameter": .rebuildParameter,
    "torch FloatStorage": .storage(.float32), "torch HalfStorage": .storage(.float16),
    "torch BFloat16Storage": .storage(.bfloat16), "torch DoubleStorage": .storage(.float64),
    "torch LongStorage": .storage(.int64), "torch IntStorage": .storage(.int32),
  ]

  /// Deeper nesting than this is nobody's lens, and neither are more values: a few bytes that name the
  /// same list again and again can stand for more than any memory holds.
  private static let (depth, valueLimit) = (64, 1_000_000)

  func run(_ bytes: UnsafeRawBufferPointer) throws(ModelFileError) -> TorchFile.Value {
    defer { containers.empty() }
    var reader = Reader(bytes: bytes, file: file)
    var stack: [Item] = []
    var memory: [Int: Item] = [:]
    while true {
      let code = try reader.byte()
      switch code {
      case UInt8(ascii: "."):
        guard let top = stack.popLast(), stack.isEmpty else { throw damage("one value", "others") }
        var count = 0
        return try value(of: top, depth: 0, &count)
      case 0x80: _ = try reader.byte()  // the protocol
      case 0x95: _ = try reader.take(8)  // a frame's length
      case UInt8(ascii: "q"): memory[Int(try reader.byte())] = try top(stack)
      case UInt8(ascii: "r"): memory[try reader.int(4)] = try top(stack)
      case 0x94: memory[memory.count] = try top(stack)
      case UInt8(ascii: "h"): stack.append(try recall(memory, Int(try reader.byte())))
      case UInt8(ascii: "j"): stack.append(try recall(memory, try reader.int(4)))
      default: try perform(code, &reader, &stack)
      }
    }
  }

  private func perform(
    _ code: UInt8, _ reader: inout Reader, _ stack: inout [Item]
  ) throws(ModelFileError) {
    switch code {
    case UInt8(ascii: "("): stack.append(.mark)
    case UInt8(ascii: "N"): stack.append(.value(.none))
    case 0x88, 0x89: stack.append(.value(.bool(code == 0x88)))
    case UInt8(ascii: "K"): stack.append(.value(.int(Int(try reader.byte()))))
    case UInt8(ascii: "M"): stack.append(.value(.int(try reader.int(2))))
    case UInt8(ascii: "J"):
      stack.append(.value(.int(Int(Int32(truncatingIfNeeded: try reader.int(4))))))
    case 0x8A: stack.append(.value(.int(try reader.long())))
    case UInt8(ascii: "G"): stack.append(.value(.double(try reader.double())))
    case UInt8(ascii: "X"): stack.append(.value(.text(try reader.text(try reader.int(4)))))
    case 0x8C: stack.append(.value(.text(try reader.text(Int(try reader.byte())))))
    case UInt8(ascii: "c"):
      stack.append(try global("\(try reader.line()) \(try reader.line())"))
    case 0x93:
      let (name, module) = (try text(pop(&stack)), try text(pop(&stack)))
      stack.append(try global("\(module) \(name)"))
    case UInt8(ascii: "}"): stack.append(containers.make(isList: false))
    case UInt8(ascii: "]"): stack.append(containers.make(isList: true))
    case UInt8(ascii: ")"): stack.append(.tuple([], depth: 1))
    case UInt8(ascii: "t"): stack.append(try tuple(popToMark(&stack)))
    case 0x85, 0x86, 0x87:
      var items: [Item] = []
      for _ in 0..<Int(code - 0x84) { items.insert(try pop(&stack), at: 0) }
      stack.append(try tuple(items))
    case UInt8(ascii: "a"):
      let item = try pop(&stack)
      try container(stack, isList: true).items.append(item)
    case UInt8(ascii: "e"):
      let items = try popToMark(&stack)
      try container(stack, isList: true).items += items
    case UInt8(ascii: "s"):
      let (value, key) = (try pop(&stack), try pop(&stack))
      try container(stack, isList: false).pairs.append((key, value))
    case UInt8(ascii: "u"):
      let items = try popToMark(&stack)
      guard items.count % 2 == 0 else { throw damage("keys with values", "one without") }
      let target = try container(stack, isList: false)
      for i in stride(from: 0, to: items.count, by: 2) {
        target.pairs.append((items[i], items[i + 1]))
      }
    case UInt8(ascii: "Q"): stack.append(try storage(pop(&stack)))
    case UInt8(ascii: "R"):
      let (arguments, function) = (try pop(&stack), try pop(&stack))
      stack.append(try call(function, arguments))
    // Attributes of a dictionary, such as a state's version: no part of its contents.
    case UInt8(ascii: "b"):
      _ = try pop(&stack)
      _ = try container(stack, isList: false)
    default: throw refusal("instruction \(code)")
    }
  }

  // MARK: - The stack

  private func top(_ stack: [Item]) throws(ModelFileError) -> Item {
    guard let item = stack.last else { throw damage("a value", "an empty stack") }
    return item
  }

  private func pop(_ stack: inout [Item]) throws(ModelFileError) -> Item {
    guard let item = stack.popLast() else { throw damage("a value", "an empty stack") }
    return item
  }

  private func popToMark(_ stack: inout [Item]) throws(ModelFileError) -> [Item] {
    let mark = stack.lastIndex { if case .mark = $0 { true } else { false } }
    guard let mark else { throw damage("a mark", "none") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[(mark + 1)...])
  }

  /// A tuple of no more tuples in each other than anybody needs.
  private func tuple(_ items: [Item]) throws(ModelFileError) -> Item {
    var depth = 1
    for item in items { if case .tuple(_, let inner) = item { depth = max(depth, inner + 1) } }
    guard depth <= Self.depth else { throw damage("values in values", "too many") }
    return .tuple(items, depth: depth)
  }

  private func recall(_ memory: [Int: Item], _ place: Int) throws(ModelFileError) -> Item {
    guard let item = memory[place] else { throw damage("something at \(place)", "nothing") }
    return item
  }

  private func container(_ stack: [Item], isList: Bool) throws(ModelFileError) -> Container {
    guard case .container(let container) = try top(stack), container.isList == isList else {
      throw damage(isList ? "a list" : "a dictionary", "another value")
    }
    return container
  }

  // MARK: - What names stand for

  private func global(_ name: String) throws(ModelFileError) -> Item {
    guard let global = Self.globals[name] else { throw refusal("the name \(quoted(name))") }
    return .global(global)
  }

  private func call(_ function: Item, _ arguments: Item) throws(ModelFileError) -> Item {
    guard case .global(let global) = function, case .tuple(let arguments, _) = arguments
    else {
      throw refusal("a call of something else")
    }
    switch global {
    case .orderedDictionary where arguments.isEmpty: return containers.make(isList: false)
    case .rebuildTensor where arguments.count >= 4: return .value(.tensor(try tensor(arguments)))
    case .rebuildParameter where !arguments.isEmpty: return arguments[0]
    default: throw refusal("a call with \(arguments.count) arguments")
    }
  }

  /// ("storage", type, member, device, count)
  private func storage(_ item: Item) throws(ModelFileError) -> Item {
    guard case .tuple(let parts, _) = item, parts.count == 5, try text(parts[0]) == "storage",
      case .global(.storage(let type)) = parts[1], let count = try int(parts[4])
    else { throw refusal("another persistent value than a storage") }
    let name = "\(folder)data/\(try text(parts[2]))"
    guard let member = zip.members[name]?.range else {
      throw damage(quoted(name), "no such member")
    }
    try zip.check(name, in: file)
    guard count >= 0, count <= member.count / type.byteCount else {
      throw damage("\(count) elements in \(quoted(name))", "\(member.count) bytes")
    }
    return .storage(type, member.lowerBound..<member.lowerBound + count * type.byteCount)
  }

  /// (storage, offset, shape, strides, …)
  private func tensor(_ arguments: [Item]) throws(ModelFileError) -> TorchFile.Tensor {
    guard case .storage(let type, let bytes) = arguments[0], let offset = try int(arguments[1])
    else { throw damage("a storage and an offset", "others") }
    let (shape, strides) = (try ints(arguments[2]), try ints(arguments[3]))
    let available = bytes.count / type.byteCount
    var count = 1
    for width in shape {
      let (product, overflows) = count.multipliedReportingOverflow(by: width)
      guard width >= 0, !overflows, product <= available else {
        throw damage("a tensor within its \(available) elements", "shape \(shape)")
      }
      count = product
    }
    var stride = 1
    for (axis, width) in shape.enumerated().reversed() {
      // Without elements strides say nothing, and widths may be of any size.
      guard axis < strides.count, width <= 1 || count == 0 || strides[axis] == stride else {
        throw refusal("a tensor \(shape) that is not row-major; call .contiguous() first")
      }
      if count > 0 { stride *= max(width, 1) }
    }
    guard offset >= 0, offset <= available - count else {
      throw damage("a tensor within its \(available) elements", "offset \(offset)")
    }
    let start = bytes.lowerBound + offset * type.byteCount
    return TorchFile.Tensor(
      shape: shape, type: type, bytes: start..<start + count * type.byteCount, file: file)
  }

  private func text(_ item: Item) throws(ModelFileError) -> String {
    guard case .value(.text(let text)) = item else { throw damage("a text", "another value") }
    return text
  }

  private func int(_ item: Item) throws(ModelFileError) -> Int? {
    if case .value(.int(let value)) = item { value } else { nil }
  }

  private func ints(_ item: Item) throws(ModelFileError) -> [Int] {
    guard case .tuple(let items, _) = item else { throw damage("a tuple", "another value") }
    var values: [Int] = []
    for item in items {
      guard let value = try int(item) else { throw damage("a number", "another value") }
      values.append(value)
    }
    return values
  }

  private func value(
    of item: Item, depth: Int, _ count: inout Int
  ) throws(ModelFileError) -> TorchFile.Value {
    count += 1
    guard depth < Self.depth, count < Self.valueLimit else {
      throw damage("values in values", "a cycle or too many")
    }
    switch item {
    case .value(let value): return value
    case .tuple(let items, _): return .list(try values(of: items, depth: depth, &count))
    case .container(let container) where container.isList:
      return .list(try values(of: container.items, depth: depth, &count))
    case .container(let container):
      var pairs: [(key: TorchFile.Value, value: TorchFile.Value)] = []
      for (key, value) in container.pairs {
        let key = try self.value(of: key, depth: depth + 1, &count)
        pairs.append((key, try self.value(of: value, depth: depth + 1, &count)))
      }
      return .dictionary(pairs)
    case .mark, .global, .storage: throw damage("values", "an unfinished one")
    }
  }

  private func values(
    of items: [Item], depth: Int, _ count: inout Int
  ) throws(ModelFileError) -> [TorchFile.Value] {
    var values: [TorchFile.Value] = []
    for item in items { values.append(try value(of: item, depth: depth + 1, &count)) }
    return values
  }

  private func damage(_ expected: String, _ found: String) -> ModelFileError {
    .malformed(
      .init(
        path: file.path, expected: "\(expected) in its pickle", found: found,
        remedy: "fetch or write the file again"))
  }

  private func refusal(_ found: String) -> ModelFileError {
    .unsupported(
      .init(
        path: file.path,
        expected: "tensors, numbers and texts in dictionaries and lists, read without any code",
        found: found, remedy: "save its state_dict, or use safetensors"))
  }

  /// The instructions' operands, never from beyond the end.
  private struct Reader {
    let bytes: UnsafeRawBufferPointer
    let file: MappedFile
    var place = 0

    init(bytes: UnsafeRawBufferPointer, file: MappedFile) {
      (self.bytes, self.file) = (bytes, file)
    }

    mutating func take(_ count: Int) throws(ModelFileError) -> UnsafeRawBufferPointer {
      guard count >= 0, count <= bytes.count - place else {
        throw .malformed(
          .init(
            path: file.path, expected: "a whole pickle", found: "one that ends too early",
            remedy: "fetch or write the file again"))
      }
      defer { place += count }
      return UnsafeRawBufferPointer(rebasing: bytes[place..<place + count])
    }

    mutating func byte() throws(ModelFileError) -> UInt8 { try take(1)[0] }

    /// A little-endian number of so many bytes, without a sign.
    mutating func int(_ count: Int) throws(ModelFileError) -> Int {
      try take(count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// LONG1: a length, and so many bytes of two's complement.
    mutating func long() throws(ModelFileError) -> Int {
      let bytes = try take(Int(try byte()))
      guard bytes.count <= 8 else { return try Int(take(-1)[0]) }
      guard let last = bytes.last else { return 0 }
      let high: Int = last >= 0x80 ? -1 : 0
      return bytes.reversed().reduce(high) { $0 << 8 | Int($1) }
    }

    mutating func double() throws(ModelFileError) -> Double {
      Double(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func text(_ count: Int) throws(ModelFileError) -> String {
      String(decoding: try take(count), as: UTF8.self)
    }

    mutating func line() throws(ModelFileError) -> String {
      let start = place
      while try byte() != UInt8(ascii: "\n") {}
      return String(decoding: bytes[start..<place - 1], as: UTF8.self)
    }
  }
}
