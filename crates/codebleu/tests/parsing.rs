//! The parser of code without errors finds the nodes that tree-sitter finds, in every golden text.

use code_syntax::{Language, flatten, glr, parse};
use serde_json::Value;

#[test]
fn the_texts_of_the_goldens_have_the_same_nodes_either_way() {
    let mut parsed = 0;
    for line in include_str!("golden/pairs.jsonl").lines() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let language: Language = pair["lang"].as_str().unwrap().parse().unwrap();
        if !language.has_grammar() {
            continue;
        }
        let several = pair["references"].as_array().into_iter().flatten();
        for text in [&pair["reference"], &pair["hypothesis"]].into_iter().chain(several) {
            let Some(text) = text.as_str() else { continue };
            let tree = parse(language, text).unwrap();
            match glr::parse(language, text).unwrap() {
                Some(nodes) => assert_eq!(nodes, flatten(&tree).unwrap(), "{text}"),
                None => assert!(tree.root_node().has_error(), "{text}"),
            }
            parsed += 1;
        }
    }
    assert!(parsed > 100, "only {parsed} texts were compared");
}
