use super::*;

#[test]
fn a_word_is_near_when_a_third_of_its_letters_differ_at_most() {
    let words = ["openai", "anthropic", "ollama"];
    let cases = [
        ("opnai", Some("openai")),
        ("open-ai", Some("openai")),
        ("OpenAI", Some("openai")),
        ("antrophic", Some("anthropic")),
        ("llama", Some("ollama")),
        ("mistral", None),
        ("", None),
        ("o", None),
        (&"openai".repeat(1 << 16), None),
    ];
    for (found, expected) in cases {
        assert_eq!(near(found, words), expected, "{found}");
    }
    assert_eq!(near("x", []), None);
}

#[test]
fn the_nearest_wins_and_of_two_the_first() {
    assert_eq!(near("width", ["widths", "width"]), Some("width"));
    assert_eq!(near("ab", ["ax", "ay"]), Some("ax"));
}
