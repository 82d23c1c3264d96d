//! Steps on maps from words to numbers.

use super::{List, Operation, Run};

pub(super) const MAPS: &[Operation] = &[
    Operation {
        name: "add_values",
        constants: &[1, 2, 3, 5, 10],
        query: [
            "add $k to every value",
            "increase each value by $k",
            "make all values larger by $k",
        ],
        plan: [
            "add $k to each value of $a to get $b",
            "for each x with value y in $a: | set x to y + $k in $b",
        ],
        python: "$b = {x: y + $k for x, y in $a.items()}",
        java: "var $b = new TreeMap<>($a);\n$b.replaceAll((x, y) -> y + $k);",
        go: "$b := map[string]int{}\nfor x, y := range $a {\n\t$b[x] = y + $k\n}",
        run: Run::MapToMap(|mut x, k| {
            x.values_mut().for_each(|y| *y += k);
            Some(x)
        }),
    },
    Operation {
        name: "times_values",
        constants: &[2, 3, 4, 5],
        query: [
            "multiply every value by $k",
            "scale each value by $k",
            "make all values $k times as large",
        ],
        plan: [
            "multiply each value of $a by $k to get $b",
            "for each x with value y in $a: | set x to y * $k in $b",
        ],
        python: "$b = {x: y * $k for x, y in $a.items()}",
        java: "var $b = new TreeMap<>($a);\n$b.replaceAll((x, y) -> y * $k);",
        go: "$b := map[string]int{}\nfor x, y := range $a {\n\t$b[x] = y * $k\n}",
        run: Run::MapToMap(|mut x, k| {
            x.values_mut().for_each(|y| *y *= k);
            Some(x)
        }),
    },
    Operation {
        name: "large_values",
        constants: &[1, 2, 3, 4],
        query: [
            "keep only the entries with a value above $k",
            "throw out entries with values up to $k",
            "select the entries whose value exceeds $k",
        ],
        plan: [
            "let $b be the entries of $a with a value above $k",
            "for each x with value y in $a: | if y is above $k, set x to y in $b",
        ],
        python: "$b = {x: y for x, y in $a.items() if y > $k}",
        java: "var $b = new TreeMap<>($a);\n$b.values().removeIf(y -> y <= $k);",
        go: "$b := map[string]int{}\nfor x, y := range $a {\n\tif y > $k {\n\t\t$b[x] = y\n\t}\n}",
        run: Run::MapToMap(|mut x, k| {
            x.retain(|_, y| *y > k);
            Some(x)
        }),
    },
    Operation {
        name: "sum_values",
        constants: &[],
        query: ["add up all values", "compute the sum of the values", "find the total of the map"],
        plan: ["let $b be the sum of the values of $a", "add up the values of $a to get $b"],
        python: "$b = sum($a.values())",
        java: "int $b = $a.values().stream().mapToInt(y -> y).sum();",
        go: "$b := 0\nfor _, y := range $a {\n\t$b += y\n}",
        run: Run::MapToNumber(|x, _| Some(x.values().sum())),
    },
    Operation {
        name: "largest_value",
        constants: &[],
        query: [
            "find the largest value",
            "take the maximum of the values",
            "pick the greatest value",
        ],
        plan: ["let $b be the largest value of $a", "take the maximum of the values of $a as $b"],
        python: "$b = max($a.values())",
        java: "int $b = Collections.max($a.values());",
        go: "$b := math.MinInt\nfor _, y := range $a {\n\tif y > $b {\n\t\t$b = y\n\t}\n}",
        run: Run::MapToNumber(|x, _| x.into_values().max()),
    },
    Operation {
        name: "values",
        constants: &[],
        query: [
            "list the values in ascending order",
            "take the values sorted by size",
            "make the sorted list of its values",
        ],
        plan: ["let $b be the values of $a in ascending order", "sort the values of $a as $b"],
        python: "$b = sorted($a.values())",
        java: "var $b = $a.values().stream().sorted().toList();",
        go: "$b := []int{}\nfor _, y := range $a {\n\t$b = append($b, y)\n}\nsort.Ints($b)",
        run: Run::MapToList(|x, _| {
            let mut values: List = x.into_values().collect();
            values.sort_unstable();
            Some(values)
        }),
    },
    Operation {
        name: "keys",
        constants: &[],
        query: [
            "list the keys in alphabetical order",
            "take the keys sorted alphabetically",
            "make the sorted list of its keys",
        ],
        plan: ["let $b be the keys of $a in alphabetical order", "sort the keys of $a as $b"],
        python: "$b = sorted($a)",
        java: "var $b = $a.keySet().stream().sorted().toList();",
        go: "$b := []string{}\nfor x := range $a {\n\t$b = append($b, x)\n}\nsort.Strings($b)",
        run: Run::MapToWords(|x, _| Some(x.into_keys().collect())),
    },
];
