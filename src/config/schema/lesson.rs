//! `[lesson]`.

use crate::config::keys::shape::{Shape, list, number, table, text, word_of};
use crate::config::scenario::lesson::{CHOICES_MAX, CONTROLS_MAX, NUMBER_MAX, TEXT_MAX, TRIES_MAX};
use crate::spec::{ControlScale, LessonCurve};

/// What a teacher says, which changes no result.
pub(super) fn lesson() -> Shape {
    table()
        .need("question", short(), "What is to be found out.")
        .key("predict", short(), "What to predict before anything is shown.")
        .key("try", list(short(), TRIES_MAX), "What to try, in order.")
        .key("answer", short(), "The answer, shown when it is asked for.")
        .key("page", short(), "The path of its page.")
        .key("curve", word_of(&LessonCurve::ALL), "The curve that follows the settings.")
        .key("controls", list(control(), CONTROLS_MAX), "The settings to play with.")
}

fn control() -> Shape {
    let any = || number().with("minimum", -NUMBER_MAX).with("maximum", NUMBER_MAX);
    let step = number().with("exclusiveMinimum", 0).with("maximum", NUMBER_MAX);
    table()
        .need("key", short().such_as(["vm.load.target_qps"]), "The key that it sets, as in --set.")
        .key("label", short(), "What the page calls it; default: the page's own word.")
        .key("from", any(), "The least number.")
        .key("to", any(), "The greatest number.")
        .key("step", step, "The step between two numbers.")
        .key("scale", word_of(&ControlScale::ALL), "Evenly, or by ratios.")
        .key("unit", short().such_as(["ms"]), "The unit that follows the number.")
        .key("values", list(short(), CHOICES_MAX), "The words of a choice, instead of numbers.")
}

fn short() -> Shape {
    text().with("maxLength", TEXT_MAX)
}
