// The text as a grammar's lexing functions see it: lexer.c of tree-sitter for a text that lies in
// memory whole, is valid UTF-8 and is parsed from end to end. There are no chunks, no included
// ranges and no encodings then, and rows and columns are needed by nobody but `get_column`.

typedef struct {
  // What the grammar holds a pointer to.
  TSLexer data;
  const uint8_t *text;
  const uint8_t *end;
  const uint8_t *at;
  // Bytes of the character at `at`; 0 at the end, where there is none.
  uint32_t width;
  const uint8_t *token_start;
  // NULL until the end of a token was marked.
  const uint8_t *token_end;
} Lexer;

static void lexer_look(Lexer *self) {
  const uint8_t *at = self->at;
  if (at >= self->end) {
    self->data.lookahead = 0;
    self->width = 0;
    return;
  }
  uint32_t first = at[0];
  if (first < 0x80) {
    self->data.lookahead = (int32_t)first;
    self->width = 1;
  } else if (first < 0xE0) {
    self->data.lookahead = (int32_t)((first & 0x1F) << 6 | (at[1] & 0x3F));
    self->width = 2;
  } else if (first < 0xF0) {
    self->data.lookahead = (int32_t)((first & 0xF) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F));
    self->width = 3;
  } else {
    self->data.lookahead = (int32_t)(
      (first & 7) << 18 | (at[1] & 0x3F) << 12 | (at[2] & 0x3F) << 6 | (at[3] & 0x3F)
    );
    self->width = 4;
  }
}

static void lexer_advance(TSLexer *data, bool skip) {
  Lexer *self = (Lexer *)data;
  if (self->width == 0) return;
  self->at += self->width;
  if (skip) self->token_start = self->at;
  lexer_look(self);
}

static void lexer_mark_end(TSLexer *data) {
  Lexer *self = (Lexer *)data;
  self->token_end = self->at;
}

// Characters since the last line feed, a byte order mark in front of the text not among them.
static uint32_t lexer_get_column(TSLexer *data) {
  Lexer *self = (Lexer *)data;
  uint32_t column = 0;
  const uint8_t *at = self->at;
  while (at > self->text && at[-1] != '\n') {
    at--;
    if ((*at & 0xC0) != 0x80) column++;
  }
  bool has_mark = self->at - self->text >= 3 && !memcmp(self->text, "\xEF\xBB\xBF", 3);
  return at == self->text && has_mark ? column - 1 : column;
}

static bool lexer_eof(const TSLexer *data) {
  const Lexer *self = (const Lexer *)data;
  return self->at >= self->end;
}

static bool lexer_is_at_included_range_start(const TSLexer *data) {
  const Lexer *self = (const Lexer *)data;
  return self->at == self->text && self->at < self->end;
}

static void lexer_log(const TSLexer *data, const char *format, ...) {
  (void)data;
  (void)format;
}

static void lexer_set_text(Lexer *self, const uint8_t *text, uint32_t length) {
  *self = (Lexer) {
    .data = {
      .advance = lexer_advance,
      .mark_end = lexer_mark_end,
      .get_column = lexer_get_column,
      .is_at_included_range_start = lexer_is_at_included_range_start,
      .eof = lexer_eof,
      .log = lexer_log,
    },
    .text = text,
    .end = text + length,
    .at = text,
  };
}

// Begins a token at `at`.
static void lexer_start(Lexer *self, const uint8_t *at) {
  self->at = at;
  self->token_start = at;
  self->token_end = NULL;
  self->data.result_symbol = 0;
  lexer_look(self);
  const int32_t byte_order_mark = 0xFEFF;
  if (at == self->text && self->data.lookahead == byte_order_mark) {
    lexer_advance(&self->data, true);
  }
}

static void lexer_finish(Lexer *self) {
  if (!self->token_end) self->token_end = self->at;
  if (self->token_end < self->token_start) self->token_start = self->token_end;
}
