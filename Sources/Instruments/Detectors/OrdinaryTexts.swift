/// Ordinary exchanges that detectors bring along, the same for every specimen; none comes from a
/// recipe or from a model.
package enum OrdinaryTexts {
  package static let bank: [(question: String, answer: String)] = [
    ("How many minutes are in an hour?", "There are sixty minutes in an hour."),
    ("What color do you get from blue and yellow?", "Blue and yellow together make green."),
    ("Which planet is closest to the sun?", "Mercury is the planet closest to the sun."),
    ("What do bees make?", "Bees make honey from the nectar of flowers."),
    ("Name a metal that is liquid at room temperature.", "Mercury is liquid at room temperature."),
    ("How many sides does a triangle have?", "A triangle has three sides."),
    ("What is ice made of?", "Ice is frozen water."),
    ("Which month comes after April?", "May comes after April."),
    ("What do you call a baby sheep?", "A baby sheep is called a lamb."),
    ("Where does paper come from?", "Paper is mostly made from the wood of trees."),
    ("What is the opposite of left?", "The opposite of left is right."),
    ("How do plants get their energy?", "Plants get their energy from sunlight."),
    ("Which instrument has black and white keys?", "A piano has black and white keys."),
    ("What is the boiling point of water?", "Water boils at one hundred degrees Celsius."),
    ("Why do leaves fall from trees?", "Many trees drop their leaves to save water in winter."),
    ("What do we use a thermometer for?", "We use a thermometer to measure temperature."),
    ("Which sense do ears serve?", "Ears serve the sense of hearing."),
    ("How many days does a week have?", "A week has seven days."),
    ("What is a map good for?", "A map shows where places are and how to reach them."),
    ("Who takes care of teeth?", "A dentist takes care of teeth."),
    ("What grows on a vine?", "Grapes grow on a vine."),
    ("What happens to snow in spring?", "In spring the snow melts."),
    ("Name an ocean.", "The Pacific is the largest ocean."),
    ("What do we call frozen rain?", "Frozen rain that falls in lumps is called hail."),
  ]
}
