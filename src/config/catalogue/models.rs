//! Reads a decoder: a file of the catalogue, with the figures of the model's `config.json`.
//!
//! What follows from them, such as the bytes of its weights, is worked out in `spec::DecoderModel`.

use super::facts::{name, sources, spread_fact};
use crate::config::text::{Reader, Value};
use crate::spec::DecoderModel;

/// A number of a `config.json`.
pub(crate) struct Figure {
    /// The key, as there.
    pub(crate) key: &'static str,
    /// The most that it may be; 1 is the least.
    pub(crate) most: u32,
    /// What stands for it where it is missing; nothing where it must be there.
    absent: Option<fn(&[u32]) -> u32>,
    /// What it is.
    pub(crate) about: &'static str,
}

/// The figures, in the order in which they are read. One that is missing follows from those before it, as in
/// Hugging Face's configurations.
pub(crate) const FIGURES: [Figure; 10] = [
    figure("num_hidden_layers", 1024, None, "layers"),
    figure("hidden_size", 1 << 20, None, "the width of a layer"),
    figure("num_attention_heads", 1 << 14, None, "attention heads"),
    figure(
        "num_key_value_heads",
        1 << 14,
        Some(|known| known[2]),
        "heads of keys and values; else as many as attention heads",
    ),
    figure(
        "head_dim",
        1 << 14,
        Some(|known| (known[1] / known[2]).max(1)),
        "the width of a head; else hidden_size over num_attention_heads",
    ),
    figure(
        "intermediate_size",
        1 << 22,
        None,
        "the width of the feed-forward layer, of one expert",
    ),
    figure("vocab_size", 1 << 24, None, "tokens of the vocabulary"),
    figure("num_local_experts", 1 << 12, Some(|_| 1), "experts; else 1, a dense model"),
    figure("num_experts_per_tok", 1 << 12, Some(|_| 1), "experts that a token passes; else 1"),
    figure("max_position_embeddings", 1 << 24, None, "the longest context, in tokens"),
];

const fn figure(
    key: &'static str,
    most: u32,
    absent: Option<fn(&[u32]) -> u32>,
    about: &'static str,
) -> Figure {
    Figure { key, most, absent, about }
}

/// The key that says whether embedding and output are one matrix.
pub(crate) const TIED: &str = "tie_word_embeddings";

impl Figure {
    /// What it is where the file lacks it, from the figures before it; nothing where it must be there.
    pub(crate) fn absent(&self, known: &[u32]) -> Option<u32> {
        self.absent.map(|of| of(known))
    }
}

/// Reads `models/<id>.toml`.
pub(super) fn model(id: &str, mut file: Reader<'_>) -> Option<DecoderModel> {
    let sources = sources(&mut file);
    let name = name(&mut file);
    let plain = |value: &Value<'_>| {
        let mut table = value.table()?;
        let found = figures(&mut table);
        table.finish();
        found
    };
    let config = spread_fact(&mut file, &sources, "config", plain, figures);
    file.finish();
    let config = config?;
    Some(made((id, name?), config.value, config.source))
}

/// The figures and whether embedding and output are one matrix.
pub(crate) type Figures = ([u32; 10], bool);

fn figures(table: &mut Reader<'_>) -> Option<Figures> {
    let mut known = Vec::new();
    let mut is_whole = true;
    for figure in &FIGURES {
        let absent = if table.has(figure.key) { None } else { figure.absent(&known) };
        let found = match absent {
            Some(_) => {
                let _ = table.get(figure.key);
                absent
            }
            None => {
                let help =
                    format!("{}, as config.json says it: {} = ...", figure.about, figure.key);
                table.need(figure.key, &help).and_then(|value| value.count(1..=figure.most, ""))
            }
        };
        is_whole &= found.is_some();
        known.push(found.unwrap_or(1));
    }
    let is_tied = table.get(TIED).map_or(Some(false), |value| value.flag());
    let figures = <[u32; 10]>::try_from(known).ok().filter(|_| is_whole)?;
    let [.., experts, active, _] = figures;
    if active > experts {
        let value = table.get("num_experts_per_tok")?;
        value.report(value.wrong(format!("is {active}, of {experts} experts")));
        return None;
    }
    Some((figures, is_tied?))
}

/// The model with these figures.
pub(crate) fn made((id, name): (&str, String), figures: Figures, source: String) -> DecoderModel {
    let [layers, hidden, heads, kv_heads, head_dim, ffn, vocabulary, experts, active, context] =
        figures.0;
    DecoderModel {
        id: id.to_string(),
        name,
        layers,
        hidden,
        heads,
        kv_heads,
        head_dim,
        ffn,
        vocabulary,
        experts,
        experts_per_token: active,
        is_tied: figures.1,
        context_max: context,
        source,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Catalogue;
    use crate::spec::{DecoderModel, KvFormat, WeightFormat};

    /// Parameters in all linear layers, of one token with the output, then bytes of the weights in bf16, fp8,
    /// int4, and bytes of a token's keys and values in 16 and 8 bit. Derived by hand from each config.json:
    /// attention 2 h H d + 2 h K d a layer, feed-forward 3 h f an expert, embedding and output V h each; int4
    /// with 0.53 bytes a weight in groups of 128 (the facts of the specification, models.csv, but for the routers of
    /// mixtures, h E a layer, which its bf16 counts: 4 423 680 bytes of gpt-oss-20b, 2 097 152 of Mixtral).
    const FIGURES: [(&str, [f64; 7]); 9] = [
        (
            "llama-3.1-8b",
            [
                6979321856.0,
                7504658432.0,
                16059990016.0,
                9080668160.0,
                5800386887.0,
                131072.0,
                65536.0,
            ],
        ),
        (
            "llama-3.1-70b",
            [
                68451041280.0,
                69501714432.0,
                141104775168.0,
                72653733888.0,
                40481744486.0,
                327680.0,
                163840.0,
            ],
        ),
        (
            "mistral-7b-v0.3",
            [
                6979321856.0,
                7113539584.0,
                14495514624.0,
                7516192768.0,
                4235911495.0,
                131072.0,
                65536.0,
            ],
        ),
        (
            "qwen2.5-7b",
            [
                6525288448.0,
                7070285824.0,
                15230566400.0,
                8705277952.0,
                5638392381.0,
                57344.0,
                28672.0,
            ],
        ),
        (
            "qwen2.5-32b",
            [
                31205621760.0,
                31984189440.0,
                65525514240.0,
                34319892480.0,
                19653250252.0,
                262144.0,
                131072.0,
            ],
        ),
        (
            "phi-4",
            [
                13631488000.0,
                14145290240.0,
                29318184960.0,
                15686696960.0,
                9279897600.0,
                204800.0,
                102400.0,
            ],
        ),
        (
            "qwen3-32b",
            [
                31205621760.0,
                31983534080.0,
                65522892800.0,
                34317271040.0,
                19650628812.0,
                262144.0,
                131072.0,
            ],
        ),
        (
            "gpt-oss-20b",
            [
                19747307520.0,
                3604930560.0,
                41811148800.0,
                22063841280.0,
                12782606745.0,
                49152.0,
                24576.0,
            ],
        ),
        (
            "mixtral-8x7b",
            [
                46439333888.0,
                12747538432.0,
                93402955776.0,
                46963621888.0,
                25137134960.0,
                131072.0,
                65536.0,
            ],
        ),
    ];

    #[test]
    fn parameters_and_bytes_are_those_of_the_specification() {
        let catalogue = Catalogue::load(None).unwrap();
        let of = |model: &DecoderModel| {
            [
                model.linear_parameters(),
                model.active_parameters() + model.head_parameters(),
                model.weight_bytes(WeightFormat::Bf16),
                model.weight_bytes(WeightFormat::Fp8),
                model.weight_bytes(WeightFormat::Int4),
                model.kv_bytes(KvFormat::Bf16),
                model.kv_bytes(KvFormat::Fp8),
            ]
        };
        let mut off = Vec::new();
        for (id, expected) in FIGURES {
            let found = of(catalogue.model(id).unwrap());
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                // A byte of rounding.
                if (found - expected).abs() > 1.0 {
                    off.push(format!("{id} {at}: {found} for {expected}"));
                }
            }
        }
        assert!(off.is_empty(), "{off:#?}");
        // 16 layers of 2048, 32 heads of 64, 8 of keys and values, 8192, 128256, one matrix at both ends:
        // 16 (2 2048 2048 + 2 2048 512 + 3 2048 8192) = 973 078 528, and 262 668 288 (0.9731e9, 0.2627e9).
        let small = catalogue.model("llama-3.2-1b").unwrap();
        assert_eq!(small.linear_parameters(), 973_078_528.0);
        assert_eq!(small.weight_bytes(WeightFormat::Bf16), 2.0 * (973_078_528.0 + 262_668_288.0));
        assert_eq!(small.kv_bytes(KvFormat::Bf16), 32_768.0);
    }
}
