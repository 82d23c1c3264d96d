// The parser itself: parser.c of tree-sitter for a text without errors. Where a version of the
// stack meets one it is paused, as there; when no other version is left it is given up.

#define MAX_VERSION_COUNT 6
#define MAX_VERSION_COUNT_OVERFLOW 4
#define NO_VERSION UINT32_MAX
#define NO_LEX_STATE UINT16_MAX

// A state of the external scanner as it wrote it down.
typedef struct {
  uint32_t at;
  uint32_t length;
} ScannerState;

typedef struct Parser {
  Lexer lexer;
  Grammar grammar;
  Forest forest;
  Stack stack;
  void *scanner;
  // State 0 is the empty one.
  ScannerState *states;
  uint32_t state_count;
  uint32_t state_room;
  char *state_bytes;
  uint32_t byte_count;
  uint32_t byte_room;
  // The token found last, which another version may ask for again.
  uint32_t cached_token;
  uint32_t cached_position;
  uint32_t cached_scanner_state;
  // Trees of a reduction, the extras at their end, and those of another way down.
  uint32_t *extras;
  uint32_t extra_room;
  uint32_t *other_extras;
  uint32_t other_extra_room;
  uint32_t finished;
  uint32_t accept_count;
  // Where it is given up: an error in the text, a limit, no memory.
  bool failed;
  Flat flat;
} Parser;

static bool state_is(const Parser *self, uint32_t state, const char *bytes, uint32_t length) {
  const ScannerState *it = &self->states[state];
  return it->length == length && !memcmp(&self->state_bytes[it->at], bytes, length);
}

static bool scanner_state_eq(const Parser *self, uint32_t a, uint32_t b) {
  if (a == b) return true;
  const ScannerState *other = &self->states[b];
  return state_is(self, a, &self->state_bytes[other->at], other->length);
}

// Has the scanner write down its state; `before` is the state that the version is in.
static uint32_t save_scanner(Parser *self, uint32_t before) {
  if (
    !MAKE_ROOM(
      self->state_bytes, self->byte_room, self->byte_count, TREE_SITTER_SERIALIZATION_BUFFER_SIZE
    ) ||
    !MAKE_ROOM(self->states, self->state_room, self->state_count, 1)
  ) {
    self->failed = true;
    return before;
  }
  char *bytes = &self->state_bytes[self->byte_count];
  uint32_t length = self->grammar.language->external_scanner.serialize(self->scanner, bytes);
  if (state_is(self, before, bytes, length)) return before;
  self->states[self->state_count] = (ScannerState) {.at = self->byte_count, .length = length};
  self->byte_count += length;
  return self->state_count++;
}

static void restore_scanner(Parser *self, uint32_t state) {
  ScannerState it = self->states[state];
  const char *bytes = it.length > 0 ? &self->state_bytes[it.at] : NULL;
  self->grammar.language->external_scanner.deserialize(self->scanner, bytes, it.length);
}

// The next token of a version, or 0 where a state wants none: at the end of an extra that is no
// token.
static uint32_t parser_lex(Parser *self, uint32_t version, TSStateId parse_state) {
  const TSLanguage *language = self->grammar.language;
  Lexer *lexer = &self->lexer;
  TSLexerMode mode = grammar_lex_mode(&self->grammar, parse_state);
  if (mode.lex_state == NO_LEX_STATE) return 0;
  uint32_t position = stack_head(&self->stack, version)->position;
  uint32_t scanner_state = self->stack.heads[version].scanner_state;
  const uint8_t *start = lexer->text + position;
  Tree token = {.before = position, .production = parse_state};
  bool error_mode = false;
  for (;;) {
    if (mode.external_lex_state != 0) {
      lexer_start(lexer, start);
      restore_scanner(self, scanner_state);
      bool found = language->external_scanner.scan(
        self->scanner, &lexer->data,
        ts_language_enabled_external_tokens(language, mode.external_lex_state)
      );
      lexer_finish(lexer);
      if (found) {
        uint32_t state = save_scanner(self, scanner_state);
        token.symbol = language->external_scanner.symbol_map[lexer->data.result_symbol];
        // An empty token that changes nothing would be found for ever.
        if (
          lexer->token_end > start || state != scanner_state ||
          !(error_mode ||
            grammar_next_state(&self->grammar, parse_state, token.symbol) == parse_state)
        ) {
          token.is_external = true;
          token.scanner_state = state;
          break;
        }
      }
    }
    lexer_start(lexer, start);
    bool found = language->lex_fn(&lexer->data, mode.lex_state);
    lexer_finish(lexer);
    if (found) {
      token.symbol = lexer->data.result_symbol;
      break;
    }
    // What no state knows is an error whatever else follows.
    if (error_mode) {
      token.symbol = ts_builtin_sym_error;
      break;
    }
    error_mode = true;
    mode = grammar_lex_mode(&self->grammar, 0);
  }
  const uint8_t *token_start = lexer->token_start, *token_end = lexer->token_end;
  token.start = (uint32_t)(token_start - lexer->text);
  token.end = (uint32_t)(token_end - lexer->text);
  token.extra = token.symbol == ts_builtin_sym_end;
  if (
    !token.is_external && token.symbol == language->keyword_capture_token && token.symbol != 0
  ) {
    lexer_start(lexer, token_start);
    token.is_keyword = language->keyword_lex_fn(&lexer->data, 0);
    TSSymbol keyword = lexer->data.result_symbol;
    if (
      token.is_keyword && lexer->token_end == token_end &&
      (grammar_lookup(&self->grammar, parse_state, keyword) != 0 ||
        ts_language_is_reserved_word(language, parse_state, keyword))
    ) {
      token.symbol = keyword;
    }
  }
  return forest_add(&self->forest, token);
}

// The token found last, if it is what this state would find.
static uint32_t parser_cached_token(
  Parser *self, TSStateId state, uint32_t position, uint32_t scanner_state, Entry *entry
) {
  if (
    !self->cached_token || self->cached_position != position ||
    !scanner_state_eq(self, self->cached_scanner_state, scanner_state)
  ) return 0;
  const Tree *token = &self->forest.trees[self->cached_token];
  *entry = grammar_entry(&self->grammar, state, token->symbol);
  TSLexerMode mode = grammar_lex_mode(&self->grammar, state);
  if (mode.lex_state == NO_LEX_STATE) return 0;
  if (
    entry->count > 0 &&
    lex_mode_eq(mode, grammar_lex_mode(&self->grammar, token->production)) &&
    (token->symbol != self->grammar.language->keyword_capture_token ||
      (!token->is_keyword && token->production == state))
  ) return self->cached_token;
  if (token->start == token->end && token->symbol != ts_builtin_sym_end) return 0;
  return mode.external_lex_state == 0 && entry->is_reusable ? self->cached_token : 0;
}

static void parser_shift(
  Parser *self, uint32_t version, TSStateId state, uint32_t token, bool extra
) {
  if (extra != self->forest.trees[token].extra) {
    Tree copy = self->forest.trees[token];
    copy.extra = extra;
    token = forest_add(&self->forest, copy);
  }
  stack_push(&self->stack, version, token, state);
  const Tree *pushed = &self->forest.trees[token];
  if (pushed->is_external) self->stack.heads[version].scanner_state = pushed->scanner_state;
}

// Writes what was popped to the room for children, without the extras at its end; those are put
// aside. Returns the number of children.
static uint32_t parser_children(
  Parser *self, uint32_t cells, uint32_t **extras, uint32_t *extra_room, uint32_t *extra_count
) {
  const Cell *all = self->stack.cells;
  const Tree *trees = self->forest.trees;
  uint32_t count = 0, kept = 0;
  for (uint32_t cell = cells; cell != 0; cell = all[cell].next) {
    count++;
    if (!trees[all[cell].tree].extra) kept = count;
  }
  *extra_count = count - kept;
  uint32_t *children = forest_child_room(&self->forest, kept);
  if (!children || !MAKE_ROOM(*extras, *extra_room, 0, *extra_count)) {
    self->failed = true;
    *extra_count = 0;
    return 0;
  }
  uint32_t at = 0;
  for (uint32_t cell = cells; cell != 0; cell = all[cell].next, at++) {
    *(at < kept ? &children[at] : &(*extras)[at - kept]) = all[cell].tree;
  }
  return kept;
}

// Pushes the node that a reduction made, and the extras that were above it.
static void parser_push_node(
  Parser *self, uint32_t version, uint32_t node, TSParseAction action,
  bool end_of_non_terminal_extra, uint32_t extra_count
) {
  TSStateId state = stack_head(&self->stack, version)->state;
  TSStateId next = grammar_next_state(&self->grammar, state, action.reduce.symbol);
  Tree *tree = &self->forest.trees[node];
  if (end_of_non_terminal_extra && next == state) tree->extra = true;
  if (tree->child_count > 0) tree->dynamic_precedence += action.reduce.dynamic_precedence;
  // State 0 is that of recovery.
  if (next == 0) self->failed = true;
  stack_push(&self->stack, version, node, next);
  for (uint32_t i = 0; i < extra_count; i++) {
    stack_push(&self->stack, version, self->extras[i], next);
  }
}

// Reduces on every way down. Returns the first new version, or NO_VERSION where each was merged
// with one that there was before.
static uint32_t parser_reduce(
  Parser *self, uint32_t version, TSParseAction action, bool end_of_non_terminal_extra
) {
  Stack *stack = &self->stack;
  Forest *forest = &self->forest;
  uint32_t before = stack->head_count, removed = 0, halted = 0;
  stack_pop(stack, version, action.reduce.child_count);
  if (stack->failed) return NO_VERSION;
  for (uint32_t i = 0; i < stack->head_count; i++) halted += stack->heads[i].status == Halted;
  for (uint32_t i = 0; i < stack->slice_count; i++) {
    Slice slice = stack->slices[i];
    uint32_t reduced = slice.version - removed;
    if (reduced > MAX_VERSION_COUNT + MAX_VERSION_COUNT_OVERFLOW + halted) {
      stack_remove_version(stack, reduced);
      removed++;
      while (i + 1 < stack->slice_count && stack->slices[i + 1].version == slice.version) i++;
      continue;
    }
    uint32_t position = stack_head(stack, reduced)->position;
    uint32_t extra_count;
    uint32_t count = parser_children(
      self, slice.cells, &self->extras, &self->extra_room, &extra_count
    );
    uint32_t node = forest_add_node(
      forest, action.reduce.symbol, action.reduce.production_id, count, position
    );
    // Of several ways down to the same node the better one is taken.
    while (i + 1 < stack->slice_count && stack->slices[i + 1].version == slice.version) {
      i++;
      uint32_t other_extra_count;
      count = parser_children(
        self, stack->slices[i].cells, &self->other_extras, &self->other_extra_room,
        &other_extra_count
      );
      uint32_t other = forest_add_node(
        forest, action.reduce.symbol, action.reduce.production_id, count, position
      );
      if (!forest_prefers(forest, node, other)) continue;
      node = other;
      extra_count = other_extra_count;
      uint32_t *extras = self->extras, room = self->extra_room;
      self->extras = self->other_extras;
      self->extra_room = self->other_extra_room;
      self->other_extras = extras;
      self->other_extra_room = room;
    }
    parser_push_node(self, reduced, node, action, end_of_non_terminal_extra, extra_count);
    if (self->failed || stack->failed || forest->failed) return NO_VERSION;
    for (uint32_t j = 0; j < reduced; j++) {
      if (j != version && stack_merge(stack, self, j, reduced)) {
        removed++;
        break;
      }
    }
  }
  return stack->head_count > before ? before : NO_VERSION;
}

// The same where there is one way down and one thing to do, which is the rule, without a new
// version. False where there is more than one way, and nothing was done. `merged` tells whether the
// version was merged with another, so that it has to be halted.
static bool parser_reduce_in_place(
  Parser *self, uint32_t version, TSParseAction action, bool end_of_non_terminal_extra,
  bool *merged
) {
  Stack *stack = &self->stack;
  if (stack->head_count > MAX_VERSION_COUNT + MAX_VERSION_COUNT_OVERFLOW) return false;
  // How many trees there are down to where the reduction ends, and how many extras on top of them.
  uint32_t total = 0, extra_count = 0, bottom = stack->heads[version].node;
  for (uint32_t count = action.reduce.child_count; count > 0;) {
    const StackNode *node = &stack->nodes[bottom];
    if (node->link_count != 1) return false;
    if (!node->extra) count--;
    else if (extra_count == total) extra_count++;
    total++;
    bottom = node->link.node;
  }
  uint32_t kept = total - extra_count;
  uint32_t *children = forest_child_room(&self->forest, kept);
  if (!children || !MAKE_ROOM(self->extras, self->extra_room, 0, extra_count)) {
    self->failed = true;
    return true;
  }
  uint32_t top = stack->heads[version].node;
  for (uint32_t i = total; i > 0; i--) {
    const StackNode *node = &stack->nodes[top];
    *(i > kept ? &self->extras[i - 1 - kept] : &children[i - 1]) = node->link.tree;
    top = node->link.node;
  }
  uint32_t node = forest_add_node(
    &self->forest, action.reduce.symbol, action.reduce.production_id, kept,
    stack->nodes[bottom].position
  );
  Head head = stack->heads[version];
  *merged = false;
  if (stack->head_count == 1) {
    stack->heads[version].node = bottom;
    parser_push_node(self, version, node, action, end_of_non_terminal_extra, extra_count);
    return true;
  }
  // As a version of its own it is merged with others first.
  uint32_t reduced = stack->head_count++;
  stack->heads[reduced] = (Head) {
    .node = bottom, .scanner_state = head.scanner_state, .status = Active,
  };
  parser_push_node(self, reduced, node, action, end_of_non_terminal_extra, extra_count);
  for (uint32_t j = 0; j < reduced; j++) {
    if (j != version && stack_merge(stack, self, j, reduced)) {
      *merged = true;
      return true;
    }
  }
  stack->heads[version] = stack->heads[reduced];
  stack->head_count--;
  return true;
}

static void parser_accept(Parser *self, uint32_t version, uint32_t token) {
  Stack *stack = &self->stack;
  Forest *forest = &self->forest;
  stack_push(stack, version, token, 1);
  stack_pop(stack, version, ALL);
  if (stack->failed || stack->slice_count == 0) {
    self->failed = true;
    return;
  }
  for (uint32_t i = 0; i < stack->slice_count; i++) {
    // The last tree that is no extra is the root; the others become children of its own.
    uint32_t last = 0, count = 0;
    for (uint32_t cell = stack->slices[i].cells; cell != 0; cell = stack->cells[cell].next) {
      count++;
      if (!forest->trees[stack->cells[cell].tree].extra) last = cell;
    }
    if (last == 0) {
      self->failed = true;
      return;
    }
    Tree top = forest->trees[stack->cells[last].tree];
    uint32_t *children = forest_child_room(forest, count - 1 + top.child_count);
    if (!children) return;
    uint32_t at = 0;
    for (uint32_t cell = stack->slices[i].cells; cell != 0; cell = stack->cells[cell].next) {
      if (cell != last) {
        children[at++] = stack->cells[cell].tree;
        continue;
      }
      for (uint32_t j = 0; j < top.child_count; j++) {
        children[at++] = forest->children[top.children + j];
      }
    }
    uint32_t root = forest_add_node(forest, top.symbol, top.production, at, 0);
    self->accept_count++;
    if (!self->finished || forest_prefers(forest, self->finished, root)) self->finished = root;
  }
  stack_remove_version(stack, stack->slices[0].version);
  stack->heads[version].status = Halted;
}

// Takes a version past its next token.
static void parser_advance(Parser *self, uint32_t version) {
  Stack *stack = &self->stack;
  Grammar *grammar = &self->grammar;
  TSStateId state = stack_head(stack, version)->state;
  uint32_t position = stack_head(stack, version)->position;
  uint32_t scanner_state = stack->heads[version].scanner_state;
  Entry entry = {0};
  uint32_t token = parser_cached_token(self, state, position, scanner_state, &entry);
  bool needs_token = !token;
  for (;;) {
    if (needs_token) {
      needs_token = false;
      token = parser_lex(self, version, state);
      if (token) {
        self->cached_token = token;
        self->cached_position = position;
        self->cached_scanner_state = scanner_state;
      }
      TSSymbol symbol = token ? self->forest.trees[token].symbol : ts_builtin_sym_end;
      entry = grammar_entry(grammar, state, symbol);
    }
    bool did_reduce = false;
    uint32_t last_version = NO_VERSION;
    for (uint32_t i = 0; i < entry.count; i++) {
      TSParseAction action = entry.actions[i];
      if (action.type == TSParseActionTypeReduce) {
        did_reduce = true;
        bool merged = false;
        if (
          entry.count == 1 && parser_reduce_in_place(self, version, action, !token, &merged)
        ) {
          if (!merged) last_version = version;
        } else {
          uint32_t reduced = parser_reduce(self, version, action, !token);
          if (reduced != NO_VERSION) last_version = reduced;
        }
        if (self->failed || stack->failed || self->forest.failed) return;
        continue;
      }
      if (action.type == TSParseActionTypeShift && action.shift.repetition) continue;
      if (!token) {
        self->failed = true;
      } else if (action.type == TSParseActionTypeShift) {
        TSStateId next = action.shift.extra ? state : action.shift.state;
        parser_shift(self, version, next, token, action.shift.extra);
      } else if (action.type == TSParseActionTypeAccept) {
        parser_accept(self, version, token);
      } else {
        self->failed = true;
      }
      return;
    }
    if (last_version != NO_VERSION) {
      if (last_version != version) {
        stack->heads[version] = stack->heads[last_version];
        stack_remove_version(stack, last_version);
      }
      state = stack_head(stack, version)->state;
      if (token) {
        entry = grammar_entry(grammar, state, self->forest.trees[token].symbol);
      } else {
        needs_token = true;
      }
      continue;
    }
    if (did_reduce) {
      stack->heads[version].status = Halted;
      return;
    }
    if (!token) {
      self->failed = true;
      return;
    }
    // A keyword that is out of place may be a plain word.
    Tree word = self->forest.trees[token];
    TSSymbol capture = grammar->language->keyword_capture_token;
    if (
      word.is_keyword && word.symbol != capture &&
      !ts_language_is_reserved_word(grammar->language, state, word.symbol)
    ) {
      entry = grammar_entry(grammar, state, capture);
      if (entry.count > 0) {
        word.symbol = capture;
        token = forest_add(&self->forest, word);
        continue;
      }
    }
    stack->heads[version].status = Paused;
    return;
  }
}

// Puts the versions in order, merges those that have come together, and drops those that lead
// nowhere. False where no more can come of any.
static bool parser_condense(Parser *self) {
  Stack *stack = &self->stack;
  if (stack->head_count == 1 && stack->heads[0].status == Active) return true;
  for (uint32_t i = 0; i < stack->head_count; i++) {
    if (stack->heads[i].status == Halted) {
      stack_remove_version(stack, i);
      i--;
      continue;
    }
    bool is_paused = stack->heads[i].status == Paused;
    int32_t precedence = stack_head(stack, i)->dynamic_precedence;
    for (uint32_t j = 0; j < i; j++) {
      bool other_is_paused = stack->heads[j].status == Paused;
      int32_t other_precedence = stack_head(stack, j)->dynamic_precedence;
      if (is_paused && !other_is_paused) {
        stack_remove_version(stack, i);
        i--;
        j = i;
      } else if (other_is_paused && !is_paused) {
        stack_remove_version(stack, j);
        i--;
        j--;
      } else if (stack_merge(stack, self, j, i)) {
        i--;
        j = i;
      } else if (other_precedence < precedence) {
        Head head = stack->heads[i];
        stack->heads[i] = stack->heads[j];
        stack->heads[j] = head;
      }
    }
  }
  if (stack->head_count > MAX_VERSION_COUNT) stack->head_count = MAX_VERSION_COUNT;
  // Paused versions are left only where no other is.
  for (uint32_t i = 0; i < stack->head_count; i++) {
    if (stack->heads[i].status == Active) return true;
  }
  return false;
}

static uint32_t parser_parse(Parser *self, const uint8_t *text, uint32_t length) {
  const TSLanguage *language = self->grammar.language;
  Stack *stack = &self->stack;
  lexer_set_text(&self->lexer, text, length);
  forest_clear(&self->forest);
  stack->forest = &self->forest;
  stack_clear(stack);
  self->state_count = 1;
  self->byte_count = 0;
  self->cached_token = 0;
  self->finished = 0;
  self->accept_count = 0;
  self->failed = self->forest.failed || stack->failed;
  if (self->failed || !MAKE_ROOM(self->states, self->state_room, 0, 1)) return 0;
  self->states[0] = (ScannerState) {0};
  self->scanner = NULL;
  if (language->external_scanner.states && language->external_scanner.create) {
    self->scanner = language->external_scanner.create();
  }
  uint32_t last_position = 0;
  do {
    for (uint32_t version = 0; version < stack->head_count; version++) {
      while (stack->heads[version].status == Active) {
        parser_advance(self, version);
        self->failed |= stack->failed | self->forest.failed;
        if (self->failed) break;
        uint32_t position = stack_head(stack, version)->position;
        if (position > last_position || (version > 0 && position == last_position)) {
          last_position = position;
          break;
        }
      }
      if (self->failed) break;
    }
  } while (!self->failed && parser_condense(self));
  self->failed |= stack->failed | self->forest.failed;
  if (self->scanner && language->external_scanner.destroy) {
    language->external_scanner.destroy(self->scanner);
  }
  return self->failed ? 0 : self->finished;
}

// The functions that glr.rs calls.

void code_syntax_glr_delete(Parser *self) {
  grammar_delete(&self->grammar);
  forest_delete(&self->forest);
  stack_delete(&self->stack);
  flat_delete(&self->flat);
  free(self->states);
  free(self->state_bytes);
  free(self->extras);
  free(self->other_extras);
  free(self);
}

// NULL where memory is short or the grammar is of a make that is not known here.
Parser *code_syntax_glr_new(const TSLanguage *language) {
  Parser *self = calloc(1, sizeof(Parser));
  if (!self) return NULL;
  if (!grammar_init(&self->grammar, language)) {
    code_syntax_glr_delete(self);
    return NULL;
  }
  return self;
}

// Parses a text, which must be valid UTF-8. Returns the number of nodes, which are found in `nodes`
// until the next call; 0 where it is given up.
uint32_t code_syntax_glr_parse(
  Parser *self, const uint8_t *text, uint32_t length, const FlatNode **nodes
) {
  uint32_t root = parser_parse(self, text, length);
  if (!root) return 0;
  if (self->flat.room > KEPT) {
    free(self->flat.nodes);
    self->flat.nodes = NULL;
    self->flat.room = 0;
  }
  uint32_t count = flatten(&self->flat, &self->grammar, &self->forest, root);
  *nodes = self->flat.nodes;
  return count;
}
