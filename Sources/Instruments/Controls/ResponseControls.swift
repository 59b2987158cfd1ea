internal import Tensors

/// Control: how long the response is, in tokens. What this finds needs no look inside.
package struct ResponseLength: ResponseDetector {
  package typealias Access = ResponsesOnly

  package let name = "response length"
  package init() {}

  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ResponsesOnly>
  ) -> [Double?] {
    responses.map { Double($0.responseIDs.count) }
  }
}

/// Control: how unlikely the specimen finds its response, in nats a token; nil where it is empty.
package struct ResponsePerplexity: ResponseDetector {
  package typealias Access = LogitsOnly

  package let name = "response perplexity"
  package init() {}

  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<LogitsOnly>
  ) throws -> [Double?] {
    try specimen.negativeLogLikelihoods(of: responses).map { losses in
      losses.isEmpty ? nil : losses.reduce(0) { $0 + Double($1) } / Double(losses.count)
    }
  }
}
