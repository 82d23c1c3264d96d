// The tables of a generated grammar: language.c of tree-sitter, with what is searched for there
// kept where it is found at once.

#define CACHE_BITS 12
#define NO_ROW UINT32_MAX

typedef struct {
  // State and symbol; no state of a parse that succeeds is 0.
  uint32_t key;
  uint32_t value;
} CachedValue;

typedef struct {
  const TSLanguage *language;
  // Values of the tables of small states, which are lists to be searched.
  CachedValue cache[1 << CACHE_BITS];
  // Fields by production and child: the place of a production's row, or NO_ROW.
  uint32_t *field_rows;
  TSFieldId *fields;
  // Children a row has room for.
  uint32_t field_width;
} Grammar;

typedef struct {
  const TSParseAction *actions;
  uint32_t count;
  bool is_reusable;
} Entry;

static uint16_t grammar_search(Grammar *self, TSStateId state, TSSymbol symbol) {
  uint32_t key = (uint32_t)state << 16 | symbol;
  CachedValue *cached = &self->cache[key * 0x9E3779B1u >> (32 - CACHE_BITS)];
  if (cached->key != key) {
    cached->key = key;
    cached->value = ts_language_lookup(self->language, state, symbol);
  }
  return (uint16_t)cached->value;
}

// What the table says: an action for a terminal, the next state for another symbol.
static inline uint16_t grammar_lookup(Grammar *self, TSStateId state, TSSymbol symbol) {
  const TSLanguage *language = self->language;
  return state < language->large_state_count
    ? language->parse_table[state * language->symbol_count + symbol]
    : grammar_search(self, state, symbol);
}

static inline Entry grammar_entry(Grammar *self, TSStateId state, TSSymbol symbol) {
  if (symbol >= ts_builtin_sym_error_repeat) return (Entry) {0};
  const TSParseActionEntry *entry =
    &self->language->parse_actions[grammar_lookup(self, state, symbol)];
  return (Entry) {
    .actions = (const TSParseAction *)(entry + 1),
    .count = entry->entry.count,
    .is_reusable = entry->entry.reusable,
  };
}

static TSStateId grammar_next_state(Grammar *self, TSStateId state, TSSymbol symbol) {
  if (symbol >= ts_builtin_sym_error_repeat) return 0;
  if (symbol >= self->language->token_count) return grammar_lookup(self, state, symbol);
  Entry entry = grammar_entry(self, state, symbol);
  if (entry.count == 0) return 0;
  TSParseAction action = entry.actions[entry.count - 1];
  if (action.type != TSParseActionTypeShift) return 0;
  return action.shift.extra ? state : action.shift.state;
}

static inline TSLexerMode grammar_lex_mode(const Grammar *self, TSStateId state) {
  if (self->language->abi_version >= LANGUAGE_VERSION_WITH_RESERVED_WORDS) {
    return self->language->lex_modes[state];
  }
  TSLexMode mode = ((const TSLexMode *)self->language->lex_modes)[state];
  return (TSLexerMode) {
    .lex_state = mode.lex_state,
    .external_lex_state = mode.external_lex_state,
  };
}

static inline bool lex_mode_eq(TSLexerMode a, TSLexerMode b) {
  return a.lex_state == b.lex_state && a.external_lex_state == b.external_lex_state &&
    a.reserved_word_set_id == b.reserved_word_set_id;
}

static inline TSSymbolMetadata grammar_metadata(const Grammar *self, TSSymbol symbol) {
  return ts_language_symbol_metadata(self->language, symbol);
}

static void grammar_delete(Grammar *self) {
  free(self->field_rows);
  free(self->fields);
}

// False where memory is short or the grammar is of a make that is not known here.
static bool grammar_init(Grammar *self, const TSLanguage *language) {
  if (language->abi_version < LANGUAGE_VERSION_WITH_PRIMARY_STATES) return false;
  if (language->abi_version > LANGUAGE_VERSION_WITH_RESERVED_WORDS) return false;
  self->language = language;
  if (language->field_count == 0) return true;
  uint32_t count = language->production_id_count, rows = 0, width = 1;
  for (uint32_t production = 0; production < count; production++) {
    const TSFieldMapEntry *entry, *end;
    ts_language_field_map(language, production, &entry, &end);
    if (entry < end) rows++;
    for (; entry < end; entry++) {
      if (entry->child_index >= width) width = entry->child_index + 1u;
    }
  }
  self->field_width = width;
  self->field_rows = malloc((count + 1) * sizeof(uint32_t));
  self->fields = calloc((size_t)rows * width + 1, sizeof(TSFieldId));
  if (!self->field_rows || !self->fields) return false;
  uint32_t row = 0;
  for (uint32_t production = 0; production < count; production++) {
    const TSFieldMapEntry *entry, *end;
    ts_language_field_map(language, production, &entry, &end);
    self->field_rows[production] = NO_ROW;
    if (entry >= end) continue;
    self->field_rows[production] = row;
    // Of several entries for a child the first counts.
    while (end > entry) {
      end--;
      if (!end->inherited) self->fields[row + end->child_index] = end->field_id;
    }
    row += width;
  }
  return true;
}

// The fields that a production gives to its children by structural number, or NULL.
static inline const TSFieldId *grammar_fields(const Grammar *self, uint16_t production) {
  if (!self->field_rows || self->field_rows[production] == NO_ROW) return NULL;
  return &self->fields[self->field_rows[production]];
}
