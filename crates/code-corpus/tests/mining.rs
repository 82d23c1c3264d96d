//! Mining of source trees that the tests write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use code_corpus::mine::{MINEABLE, mine, python_stdlib};
use code_corpus::{CorpusError, Filters, Harvest, Reason};
use code_syntax::Language;
use tempfile::TempDir;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(folder.path(), path, text.as_bytes());
    }
    folder
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn mined(folder: &TempDir) -> Harvest {
    mine(folder.path(), &MINEABLE, &Filters::default(), &|_| {}).unwrap()
}

/// Id → (query, code).
fn pairs(harvest: &Harvest) -> BTreeMap<&str, (&str, &str)> {
    harvest
        .problems
        .iter()
        .map(|p| (p.id.as_str(), (p.query.as_str(), p.reference.as_deref().unwrap())))
        .collect()
}

const PYTHON: &str = r#"
"""Module."""
import os

def plain(a, b):
    """Add two
    numbers.

    More text.
    """
    # a comment
    total = a + b
    return total

class Outer:
    "A class."

    def __init__(self):
        """Make a new one of these."""
        self.a = 1
        self.b = 2

    class Inner:
        async def fetch(self, url):
            r'''Fetch a page and wait for it.'''
            def helper():
                """Help with the page a bit."""
                x = 1
                return x
            page = await get(url)
            return page

    @property
    def size(self):
        """The number of items held."""
        items = self.items
        return len(items)

if os.name == 'nt':
    def where():
        """Return the folder of the user."""
        home = os.environ['HOME']
        return home
else:
    def where():
        """Return the folder of the user."""
        home = os.getcwd()
        return home

def undocumented(a):
    b = a
    return b

def short():
    """Return the number one always."""
    return 1

def test_add():
    """Test that numbers are added."""
    x = plain(1, 2)
    assert x == 3

def only_example(a):
    """
    >>> only_example(1)
    2
    """
    b = a + 1
    return b
"#;

#[test]
fn python_functions_methods_and_what_is_left_out() {
    let folder = tree(&[("pkg/a.py", PYTHON)]);
    let harvest = mined(&folder);
    let pairs = pairs(&harvest);
    assert_eq!(
        pairs.keys().copied().collect::<Vec<_>>(),
        [
            "pkg/a.py:Outer.Inner.fetch",
            "pkg/a.py:Outer.size",
            "pkg/a.py:plain",
            "pkg/a.py:where",
            "pkg/a.py:where#2"
        ]
    );
    assert_eq!(
        pairs["pkg/a.py:plain"],
        ("Add two numbers.", "def plain(a, b):\n    total = a + b\n    return total")
    );
    assert_eq!(
        pairs["pkg/a.py:Outer.Inner.fetch"],
        (
            "Fetch a page and wait for it.",
            "async def fetch(self, url):\n    def helper():\n        x = 1\n        return x\n    \
             page = await get(url)\n    return page"
        )
    );
    let plain = harvest.problems.iter().find(|p| p.id == "pkg/a.py:plain").unwrap();
    assert_eq!(plain.source, "pkg/a.py");
    assert_eq!(plain.entry_point.as_deref(), Some("plain"));
    assert_eq!((&plain.extra["start_line"], &plain.extra["end_line"]), (&5.into(), &13.into()));
    for (reason, count) in [
        (Reason::NoDocumentation, 1),
        (Reason::CodeTooShort, 1),
        (Reason::TestFunction, 1),
        (Reason::Boilerplate, 1),
        (Reason::NoQuery, 1),
    ] {
        assert_eq!(harvest.dropped.count(reason), count, "{reason:?}");
    }
    assert_eq!(harvest.candidates, harvest.problems.len() as u64 + harvest.dropped.total());
}

const JAVA: &str = r#"
package p;
/** A box. */
public class Box<T> {
    /** Makes a box for the thing. */
    public Box(T thing) {
        this.thing = thing;
        this.full = true;
    }

    /**
     * Puts all {@code things} into this box.
     *
     * @param things what to put
     */
    @Override
    public void putAll(List<T> things) {
        // one by one
        for (T thing : things) {
            put(thing);
        }
    }

    // Not a documentation comment at all.
    int ordinary() {
        int a = 1;
        return a;
    }

    /** Says how to open a box. */
    abstract void open();
}
"#;

const GO: &str = "package p\n\n// Sum adds up\n// all values.\nfunc Sum(values []int) int {\n\ttotal := 0\n\tfor _, v := range values {\n\t\ttotal += v // running\n\t}\n\treturn total\n}\n\n// Len says how many there are.\nfunc (s *Stack[T]) Len() int {\n\tn := len(s.items)\n\treturn n\n}\n\n// detached from what follows\n\nfunc Bare() int {\n\ta := 1\n\treturn a\n}\n";

const JAVASCRIPT: &str = r#"
/**
 * Adds up all the values.
 * @param {number[]} values
 */
export function sum(values) {
  // start
  let total = 0;
  for (const v of values) total += v;
  return total;
}

class Stack {
  /** Takes the last item off. */
  pop() {
    const last = this.items.pop();
    return last;
  }
}

(function () {
  /** Doubles every value given. */
  const double = (values) => {
    const twice = values.map((v) => v * 2);
    return twice;
  };

  /** Triples every value given. */
  exports.triple = function (values) {
    const thrice = values.map((v) => v * 3);
    return thrice;
  };

  module.exports = {
    /** Halves every value given. */
    half: function (values) {
      const halves = values.map((v) => v / 2);
      return halves;
    },
  };
})();
"#;

const PHP: &str = r#"<?php
namespace P;
class Box {
    /**
     * Counts the things inside.
     *
     * @return int
     */
    public function count(): int
    {
        # all of them
        $n = count($this->things);
        return $n;
    }

    /** Makes a new box now. */
    public function __construct() {
        $this->things = [];
        $this->open = true;
    }
}
"#;

const RUBY: &str = r#"
module M
  class Box
    # Counts the +things+ inside
    # of this box.
    #
    # @return [Integer]
    def count
      n = @things.size # all
      n
    end

    # Opens a box by its name.
    def self.open(name)
      box = new
      box.name = name
      box
    end

    # Makes a new box now.
    def initialize
      @things = []
      @open = true
    end
  end
end
"#;

#[test]
fn the_other_languages() {
    let folder = tree(&[
        ("Box.java", JAVA),
        ("sum.go", GO),
        ("sum.js", JAVASCRIPT),
        ("box.php", PHP),
        ("box.rb", RUBY),
    ]);
    let harvest = mined(&folder);
    let pairs = pairs(&harvest);
    let expected = [
        (
            "Box.java:Box.putAll",
            "Puts all things into this box.",
            "@Override\npublic void putAll(List<T> things) {\n    for (T thing : things) {\n        put(thing);\n    }\n}",
        ),
        (
            "box.php:Box.count",
            "Counts the things inside.",
            "public function count(): int\n{\n    $n = count($this->things);\n    return $n;\n}",
        ),
        (
            "box.rb:M.Box.count",
            "Counts the things inside of this box.",
            "def count\n  n = @things.size\n  n\nend",
        ),
        (
            "box.rb:M.Box.open",
            "Opens a box by its name.",
            "def self.open(name)\n  box = new\n  box.name = name\n  box\nend",
        ),
        (
            "sum.go:Stack.Len",
            "Len says how many there are.",
            "func (s *Stack[T]) Len() int {\n\tn := len(s.items)\n\treturn n\n}",
        ),
        (
            "sum.go:Sum",
            "Sum adds up all values.",
            "func Sum(values []int) int {\n\ttotal := 0\n\tfor _, v := range values {\n\t\ttotal += v\n\t}\n\treturn total\n}",
        ),
        (
            "sum.js:Stack.pop",
            "Takes the last item off.",
            "pop() {\n  const last = this.items.pop();\n  return last;\n}",
        ),
        (
            "sum.js:double",
            "Doubles every value given.",
            "const double = (values) => {\n  const twice = values.map((v) => v * 2);\n  return twice;\n};",
        ),
        (
            "sum.js:half",
            "Halves every value given.",
            "function (values) {\n  const halves = values.map((v) => v / 2);\n  return halves;\n}",
        ),
        (
            "sum.js:sum",
            "Adds up all the values.",
            "function sum(values) {\n  let total = 0;\n  for (const v of values) total += v;\n  return total;\n}",
        ),
        (
            "sum.js:triple",
            "Triples every value given.",
            "exports.triple = function (values) {\n  const thrice = values.map((v) => v * 3);\n  return thrice;\n};",
        ),
    ];
    assert_eq!(
        pairs.iter().map(|(id, (q, c))| (*id, *q, *c)).collect::<Vec<_>>(),
        expected,
        "{}",
        harvest.dropped
    );
    // Java's, PHP's and Ruby's constructors.
    assert_eq!(harvest.dropped.count(Reason::Boilerplate), 3);
}

const DOCUMENTED: &str =
    "def f(a):\n    \"\"\"Return a bit more than a.\"\"\"\n    b = a + 1\n    return b\n";

#[test]
fn hostile_files_are_counted_and_do_no_harm() {
    let folder = tree(&[
        ("bom.py", &format!("\u{feff}{DOCUMENTED}")),
        ("crlf.py", &DOCUMENTED.replace('\n', "\r\n")),
        ("tabs.py", &DOCUMENTED.replace("    ", "\t")),
        ("empty.py", ""),
        (
            "broken.py",
            &format!("def g(:\n    '''What is this thing?'''\n    x = (\n\n{DOCUMENTED}"),
        ),
        ("long.py", &format!("x = '{}'\n{DOCUMENTED}", "y".repeat(100_000))),
        ("deep.py", &format!("x = {}1{}\n{DOCUMENTED}", "(".repeat(900), ")".repeat(900))),
        ("deep/nest.js", &"function a(){".repeat(30_000)),
        ("deep/bare.rb", &"module A\n".repeat(20_000)),
        ("tests/a.py", DOCUMENTED),
        ("site-packages/a.py", DOCUMENTED),
        (".hidden/a.py", DOCUMENTED),
        ("made.py", &format!("# Generated by a tool. DO NOT EDIT.\n{DOCUMENTED}")),
    ]);
    write(folder.path(), "binary.py", b"\x7fELF\x00\xff\xfe\x00");
    write(folder.path(), "nul.py", format!("{DOCUMENTED}\0").as_bytes());
    write(folder.path(), "big.py", &b"x = 1\n".repeat(200_000));
    let harvest = mined(&folder);
    let ids: Vec<&str> = harvest.problems.iter().map(|p| p.id.as_str()).collect();
    for id in ["bom.py:f", "crlf.py:f", "tabs.py:f", "deep.py:f"] {
        assert!(ids.contains(&id), "{id} is not in {ids:?}");
    }
    assert!(!ids.iter().any(|id| id.contains("hidden") || id.contains("site-packages")), "{ids:?}");
    let crlf = harvest.problems.iter().find(|p| p.id == "crlf.py:f").unwrap();
    assert_eq!(crlf.reference.as_deref(), Some("def f(a):\n    b = a + 1\n    return b"));
    for (reason, count) in [
        (Reason::NotUtf8, 1),
        (Reason::TestFile, 1),
        (Reason::FileTooLarge, 1),
        // By its head, and twice by the length of a line.
        (Reason::Generated, 3),
    ] {
        assert_eq!(harvest.dropped.count(reason), count, "{reason:?}: {}", harvest.dropped);
    }
    assert_eq!(harvest.bad.len(), 1);
    assert!(harvest.bad[0].path.ends_with("binary.py"), "{:?}", harvest.bad);
    assert!(harvest.bad[0].reason.contains("not UTF-8 (byte 6)"), "{:?}", harvest.bad);
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_followed() {
    let folder = tree(&[("real/a.py", DOCUMENTED)]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("real/loop")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real/a.py"), folder.path().join("b.py"))
        .unwrap();
    let harvest = mined(&folder);
    assert_eq!(harvest.problems.len(), 1);
    assert_eq!(harvest.dropped.count(Reason::SymbolicLink), 1);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let text: Vec<(String, String)> = (0..60)
        .map(|n| (format!("d{}/f{n}.py", n % 7), DOCUMENTED.replace("def f", &format!("def f{n}"))))
        .collect();
    let files: Vec<(&str, &str)> = text.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let folder = tree(&files);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| mined(&folder))
    };
    assert_eq!(with(1), with(5));
}

#[test]
fn what_cannot_be_mined_is_refused() {
    let folder = tree(&[("a.py", DOCUMENTED)]);
    let mine = |root: &Path, language| mine(root, &[language], &Filters::default(), &|_| {});
    let gone = mine(&folder.path().join("gone"), Language::Python).unwrap_err();
    assert!(gone.to_string().contains("gone"), "{gone}");
    let file = mine(&folder.path().join("a.py"), Language::Python);
    assert!(matches!(file, Err(CorpusError::NotAFolder(_))));
    assert!(matches!(mine(folder.path(), Language::C), Err(CorpusError::NoMiner(Language::C))));
}

#[test]
fn an_interpreter_that_is_none_gives_a_clear_error() {
    let error = python_stdlib("no-such-python").unwrap_err().to_string();
    assert!(error.contains("no-such-python"), "{error}");
    #[cfg(unix)]
    {
        let error = python_stdlib("false").unwrap_err().to_string();
        assert!(error.contains("ended with"), "{error}");
        // `true` says nothing, and nothing is no folder.
        let error = python_stdlib("true").unwrap_err().to_string();
        assert!(error.contains("not a folder"), "{error}");
    }
}
