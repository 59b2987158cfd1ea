package import Tensors

/// Organisms whose arms are known, for instruments that learn before they judge.
///
/// An instrument without ``CalibrationAccess`` cannot even name this type.
@TensorActor
package struct Calibration<Access: CalibrationAccess> {
  /// One organism, with the responses that were observed from it.
  package struct Organism {
    package let view: SpecimenView<Access>
    package let responses: [LabelledResponse]
    /// Whether it has the behaviour and hides it; nil where nobody said.
    package let hides: Bool?
  }

  package let organisms: [Organism]

  /// Calibration on known organisms and their labelled responses.
  package init(
    _ organisms: [(organism: Specimen, responses: [LabelledResponse])], hiding: [Bool]? = nil
  ) {
    self.organisms = organisms.enumerated().map { index, known in
      Organism(
        view: known.organism.view(for: Access.self), responses: known.responses,
        hides: hiding?[index])
    }
  }
}
