internal import LanguageModels
internal import Tensors

/// A probe that learns from other organisms which responses were given under an active trigger.
package struct LearnedProbe: LearnedDetector {
  package let method: ProbeMethod
  package let training: ProbeTraining
  package var name: String { method.rawValue.replacing("_", with: " ") }

  package init(_ method: ProbeMethod, training: ProbeTraining) {
    (self.method, self.training) = (method, training)
  }

  /// - Throws: ``DetectorError`` where calibration cannot support a probe.
  @TensorActor
  package func fit(_ calibration: Calibration<ActivationsAndCalibration>) throws -> LinearProbe {
    try training.fit(method, on: training.data(calibration))
  }
}

extension BagOfWords {
  /// Learns from the prompts of other organisms.
  package struct Learned: LearnedDetector {
    package let name = "bag of words"
    package init() {}

    @TensorActor
    package func fit(_ calibration: Calibration<CalibrationOnly>) throws -> BagOfWords {
      try BagOfWords(calibration)
    }
  }
}
