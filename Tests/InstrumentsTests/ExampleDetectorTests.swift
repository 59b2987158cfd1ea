import Instruments
import LanguageModels
import Tensors
import TestSupport
import Testing

/// The example of `AddingADetector.md`, word for word.
struct FirstWordHesitation: ResponseDetector {
  typealias Access = LogitsAndBase

  let name = "first-word hesitation"

  func scores(
    of responses: [Response], in specimen: SpecimenView<LogitsAndBase>
  ) throws -> [Double?] {
    let own = try specimen.negativeLogLikelihoods(of: responses)
    let base = try specimen.base().negativeLogLikelihoods(of: responses)
    return zip(own, base).map { own, base in
      own.isEmpty ? nil : Double(own[0]) - Double(base[0])
    }
  }
}

struct ExampleDetectorTests {
  @Test @TensorActor func `the documented detector runs as any other`() throws {
    let model = try sharpModel()
    let specimen = Specimen(id: "s", base: model, stored: nil) { (model, nil) }
    let detector = AnyDetector(FirstWordHesitation())
    #expect(detector.name == "first-word-hesitation" && detector.title == "First-word hesitation")
    #expect(detector.access == [.logits, .base] && detector.question == .response)
    #expect(!detector.isLearned && !detector.isControl)
    guard case .responses(let score) = try detector.examiner(learningFrom: []) else {
      Issue.record("it scores responses")
      return
    }
    let responses = [
      Response(id: "a", promptIDs: [1, 2], responseIDs: [3]),
      Response(id: "b", promptIDs: [1], responseIDs: []),
    ]
    // A model that is its own base hesitates no more than that.
    #expect(try score(specimen, responses) == [0, nil])
    #expect(specimen.tokensUsed > 0)
  }
}
