// A finished tree as an array of nodes in preorder: what flat.c in the folder above makes of a tree
// of tree-sitter.

#define NOT_SHOWN UINT32_MAX

// A node whose children are being visited.
typedef struct {
  const uint32_t *child;
  const uint32_t *end;
  // Of the children that are no extras, from the next on; or NULL.
  const TSSymbol *alias;
  const TSFieldId *field;
  const TSFieldId *fields_end;
  // The place in the array, unless the node is hidden.
  uint32_t place;
  // The field of a hidden node is that of the nodes shown in its place.
  TSFieldId inherited;
} Frame;

typedef struct {
  FlatNode *nodes;
  uint32_t room;
  Frame *frames;
  uint32_t frame_room;
} Flat;

static void flat_delete(Flat *self) {
  free(self->nodes);
  free(self->frames);
}

static inline FlatNode flat_node(
  const Grammar *grammar, const Tree *tree, TSSymbol symbol, TSFieldId field, uint32_t after
) {
  return (FlatNode) {
    .start = tree->start,
    .end = tree->end,
    .after = after,
    .kind = grammar->language->public_symbol_map[symbol],
    .field = field,
    .named = grammar->language->symbol_metadata[symbol].named,
  };
}

static inline Frame flat_frame(
  const Grammar *grammar, const Forest *forest, const Tree *tree, uint32_t place,
  TSFieldId inherited
) {
  const uint32_t *children = &forest->children[tree->children];
  const TSFieldId *fields = grammar_fields(grammar, tree->production);
  return (Frame) {
    .child = children,
    .end = children + tree->child_count,
    .alias = ts_language_alias_sequence(grammar->language, tree->production),
    .field = fields,
    .fields_end = fields ? fields + grammar->field_width : NULL,
    .place = place,
    .inherited = inherited,
  };
}

// Returns the number of nodes, or 0 where memory is short.
static uint32_t flatten(Flat *self, const Grammar *grammar, const Forest *forest, uint32_t root) {
  const Tree *trees = forest->trees;
  const TSSymbolMetadata *metadata = grammar->language->symbol_metadata;
  if (
    !MAKE_ROOM(self->nodes, self->room, 0, 64) ||
    !MAKE_ROOM(self->frames, self->frame_room, 0, 64)
  ) return 0;
  self->nodes[0] = flat_node(grammar, &trees[root], trees[root].symbol, 0, 1);
  uint32_t count = 1, depth = 0;
  Frame frame = flat_frame(grammar, forest, &trees[root], 0, 0);
  for (;;) {
    if (frame.child == frame.end) {
      if (frame.place != NOT_SHOWN) self->nodes[frame.place].after = count;
      if (depth == 0) return count;
      frame = self->frames[--depth];
      continue;
    }
    const Tree *child = &trees[*frame.child++];
    TSSymbol symbol = child->symbol;
    bool shown = metadata[symbol].visible;
    TSFieldId field = 0;
    if (!child->extra) {
      if (frame.alias) {
        TSSymbol alias = *frame.alias++;
        if (alias) {
          symbol = alias;
          shown = true;
        }
      }
      field = frame.inherited;
      if (frame.field < frame.fields_end) {
        TSFieldId own = *frame.field++;
        if (own) field = own;
      }
    }
    uint32_t place = NOT_SHOWN;
    if (shown) {
      if (count == self->room && !MAKE_ROOM(self->nodes, self->room, count, 1)) return 0;
      place = count++;
      self->nodes[place] = flat_node(grammar, child, symbol, field, count);
    }
    if (child->child_count == 0) continue;
    if (depth == self->frame_room && !MAKE_ROOM(self->frames, self->frame_room, depth, 1)) return 0;
    self->frames[depth++] = frame;
    // What is below a hidden node stands in its place.
    frame = flat_frame(grammar, forest, child, place, shown ? 0 : field);
  }
}
