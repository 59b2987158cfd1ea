internal import CMLX

/// Named tensors that are trained together, in a fixed order.
package struct ParameterTree {
  /// Dotted paths, in order.
  package let paths: [String]
  /// One tensor a path.
  package var tensors: [Tensor]

  package init(_ named: [(String, Tensor)]) {
    paths = named.map(\.0)
    tensors = named.map(\.1)
    require(Set(paths).count == paths.count, "ParameterTree: two parameters share a path")
  }

  private init(paths: [String], tensors: [Tensor]) {
    self.paths = paths
    self.tensors = tensors
  }

  /// The tensor at `path`; traps where there is none.
  package subscript(path: String) -> Tensor {
    guard let index = paths.firstIndex(of: path) else { fatalError("no parameter \(path)") }
    return tensors[index]
  }

  /// A tree of the same paths with tensors made from these.
  package func mapValues(_ transform: (Tensor) -> Tensor) -> ParameterTree {
    ParameterTree(paths: paths, tensors: tensors.map(transform))
  }

  /// A tree of the same paths over other tensors.
  package func replacing(_ tensors: [Tensor]) -> ParameterTree {
    require(tensors.count == paths.count, "ParameterTree: one tensor a path")
    return ParameterTree(paths: paths, tensors: tensors)
  }
}

/// The value of `loss` (a scalar tensor) at `parameters` and its gradients with respect to all of
/// them, by reverse-mode differentiation. Both stay lazy until they are evaluated.
///
/// - Throws: What `loss` throws, or ``TensorError`` when an operation in it has no derivative.
package func valueAndGrad(
  _ parameters: ParameterTree, _ loss: (ParameterTree) throws -> Tensor
) throws -> (value: Tensor, gradients: ParameterTree) {
  try withoutActuallyEscaping(loss) { loss in
    let call = DifferentiatedCall(parameters: parameters, loss: loss)
    let count = parameters.tensors.count
    var values: [OpaquePointer?] = [nil]
    var gradients = [OpaquePointer?](repeating: nil, count: count)
    let inputs: [OpaquePointer?] = parameters.tensors.map(\.pointer)
    let produced = withExtendedLifetime((parameters, call)) {
      cmlx_value_and_grad(
        differentiated, Unmanaged.passUnretained(call).toOpaque(), inputs, Int32(count), &values,
        1, &gradients)
    }
    if let error = call.error { throw error }
    guard produced == 1 else {
      throw TensorError.failed(operation: "valueAndGrad", message: TensorError.lastMessage)
    }
    return (
      Tensor(values[0], "valueAndGrad"),
      parameters.replacing(gradients.map { Tensor($0, "valueAndGrad") })
    )
  }
}

/// Carries the Swift closure, and an error thrown in it, through MLX's C++ frames.
private final class DifferentiatedCall {
  let parameters: ParameterTree
  let loss: (ParameterTree) throws -> Tensor
  var error: (any Error)?

  init(parameters: ParameterTree, loss: @escaping (ParameterTree) throws -> Tensor) {
    self.parameters = parameters
    self.loss = loss
  }
}

private let differentiated: cmlx_function = { context, inputs, count, outputs, _ in
  guard let context, let inputs, let outputs else { return -1 }
  let call = Unmanaged<DifferentiatedCall>.fromOpaque(context).takeUnretainedValue()
  do {
    let tensors = (0..<Int(count)).map { Tensor(cmlx_copy_handle(inputs[$0]), "valueAndGrad") }
    let value = try call.loss(call.parameters.replacing(tensors))
    require(value.count == 1, "valueAndGrad: the loss has shape \(value.shape)")
    let scalar = value.reshape([])
    outputs[0] = withExtendedLifetime(scalar) { cmlx_copy_handle(scalar.pointer) }
    return 1
  } catch {
    call.error = error
    return -1
  }
}
