//! Settings for known models.

use distill_core::Sampling;

/// How a known model is best asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// Its name here.
    pub name: &'static str,
    /// Its usual name on a server.
    pub model: &'static str,
    /// Softmax temperature.
    pub temperature: f64,
    /// Nucleus mass.
    pub top_p: f64,
    /// Most tokens to write: enough for the steps and code of a long function.
    pub max_tokens: u32,
    /// Where the two settings come from.
    pub source: &'static str,
}

/// Every preset.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "codellama-7b",
        model: "codellama/CodeLlama-7b-Instruct-hf",
        temperature: 0.2,
        top_p: 0.95,
        max_tokens: 1024,
        source: "defaults of example_instructions.py in the model's repository",
    },
    Preset {
        name: "codeqwen-7b",
        model: "Qwen/CodeQwen1.5-7B-Chat",
        temperature: 0.2,
        top_p: 0.95,
        max_tokens: 1024,
        source: "usual for code; the model states none of its own",
    },
    Preset {
        name: "qwen2.5-coder",
        model: "Qwen/Qwen2.5-Coder-7B-Instruct",
        temperature: 0.7,
        top_p: 0.8,
        max_tokens: 1024,
        source: "generation_config.json of the model",
    },
    Preset {
        name: "deepseek",
        model: "deepseek-chat",
        temperature: 0.0,
        top_p: 1.0,
        max_tokens: 2048,
        source: "the API's documentation: temperature 0 for coding",
    },
    Preset {
        name: "gpt-4",
        model: "gpt-4",
        temperature: 0.2,
        top_p: 0.95,
        max_tokens: 2048,
        source: "usual for code; the API states none of its own",
    },
    Preset {
        name: "greedy",
        model: "",
        temperature: 0.0,
        top_p: 1.0,
        max_tokens: 1024,
        source: "any model, as reproducible as its server",
    },
];

impl Preset {
    /// The preset of this name.
    pub fn find(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name.eq_ignore_ascii_case(name))
    }

    /// Its sampling, without a seed.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: Some(self.temperature),
            top_p: Some(self.top_p),
            max_tokens: Some(self.max_tokens),
            ..Sampling::default()
        }
    }
}
