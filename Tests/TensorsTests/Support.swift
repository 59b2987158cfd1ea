import Foundation
import Tensors
import Testing

/// The largest absolute difference over the largest absolute expected value; infinite for NaN and
/// for another number of elements.
func relativeError(_ actual: [Float], _ expected: [Float]) -> Double {
  guard actual.count == expected.count, !expected.isEmpty else { return .infinity }
  var worst = 0.0
  var scale = 0.0
  for (a, e) in zip(actual, expected) {
    let difference = abs(Double(a) - Double(e))
    if difference.isNaN { return .infinity }
    worst = max(worst, difference)
    scale = max(scale, abs(Double(e)))
  }
  return worst == 0 ? 0 : worst / scale
}

/// Expects `error` within `bound`.
///
/// With `PLUMBLINE_MEASURE` set every error is printed: so the figures beside the tolerances were
/// taken.
func expectError(
  _ error: Double, within bound: Double, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  if ProcessInfo.processInfo.environment["PLUMBLINE_MEASURE"] != nil {
    print("measured \(what): \(error) of \(bound)")
  }
  #expect(
    error <= bound, "\(what): error \(error), allowed \(bound)", sourceLocation: sourceLocation)
}

/// Expects `fused` to be the same function of `parameters` as `plain`, which MLX differentiates
/// itself: same value, same gradients (within twice the tolerance unless told), and gradients that
/// agree with central differences of `fused` along a random direction of every parameter. The same of
/// `fused` as it runs on a GPU, from MLX's own operations.
func expectSameFunction(
  _ name: String, at parameters: ParameterTree, tolerance: Double = 2e-6,
  ofGradients: Double? = nil, fused: (ParameterTree) throws -> Tensor,
  plain: (ParameterTree) throws -> Tensor
) throws {
  let (actual, expected) = (try fused(parameters), try plain(parameters))
  #expect(actual.shape == expected.shape)
  expectError(
    relativeError(try actual.floats(), try expected.floats()), within: tolerance, "\(name) value")
  let graph = try Processor.withoutOwnKernels { try fused(parameters).floats() }
  expectError(
    relativeError(graph, try expected.floats()), within: max(tolerance, 4e-6), "\(name) graph")

  var key = RandomKey(seed: 7)
  let weights = key.normal(expected.shape)
  let (_, gradients) = try valueAndGrad(parameters) { try (fused($0) * weights).sum() }
  let (_, ofGraph) = try Processor.withoutOwnKernels {
    try valueAndGrad(parameters) { try (fused($0) * weights).sum() }
  }
  let (_, reference) = try valueAndGrad(parameters) { try (plain($0) * weights).sum() }
  for (index, path) in parameters.paths.enumerated() {
    let gradient = try gradients.tensors[index].floats()
    expectError(
      relativeError(gradient, try reference.tensors[index].floats()),
      within: ofGradients ?? 2 * tolerance, "\(name) gradient of \(path)")
    expectError(
      relativeError(
        try ofGraph.tensors[index].floats(), try reference.tensors[index].floats()),
      within: max(2 * tolerance, 8e-6), "\(name) graph's gradient of \(path)")
    let direction = key.normal(parameters.tensors[index].shape)
    let numeric = try centralDifference(fused, at: parameters, index, direction, weights)
    // A direction of unit normals gives ‖g‖ as the typical size of g · d, even where this d is
    // nearly orthogonal to g. A function that does not depend on the parameter has g = 0 exactly.
    let norm = max(dot(gradient, gradient).squareRoot(), 1e-6)
    expectError(
      abs(numeric - dot(gradient, try direction.floats())) / norm, within: 1e-2,
      "\(name) finite difference of \(path)")
  }
}

/// The derivative of Σ weights · f along `direction` of one parameter.
///
/// The step is about the cube root of fp32's ε, where rounding and curvature cost the same; the sum
/// is taken in fp64, so that only f itself rounds.
private func centralDifference(
  _ f: (ParameterTree) throws -> Tensor, at parameters: ParameterTree, _ index: Int,
  _ direction: Tensor, _ weights: Tensor
) throws -> Double {
  let step: Float = 4e-3
  func loss(_ step: Float) throws -> Double {
    var moved = parameters
    moved.tensors[index] = parameters.tensors[index] + direction * step
    return dot(try f(moved).floats(), try weights.floats())
  }
  return (try loss(step) - loss(-step)) / Double(2 * step)
}

func dot(_ a: [Float], _ b: [Float]) -> Double {
  zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}
