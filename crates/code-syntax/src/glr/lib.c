// A parser for texts without errors over the tables that tree-sitter generates: its parsing library
// without what only editors need (trees that change, lexing that can stop anywhere, counting
// rows and columns), which is most of the library's time. See glr.rs.
//
// One unit, so that the compiler sees all of it. The files are in the order of their use.

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tree_sitter/api.h"
#include "./language.h"
#include "../flat.h"

#include "./lexer.c"
#include "./grammar.c"
#include "./tree.c"
#include "./stack.c"
#include "./flat.c"
#include "./parser.c"
