// A syntax tree as an array, in one pass over the parser's own data.
//
// The parser's public interface hands out one node and one property at a time, and finds its way
// through nodes that it hides anew for each: eight times the instructions of this, a fifth of the
// time of parsing. What it would answer is written down here once for all nodes: the functions
// meant are those of tree_cursor.c and node.c, on which the names below are modelled.
//
// This is compiled with the parser's own headers, so that a change in its data does not go unseen.

#include <stdlib.h>
#include "tree_sitter/api.h"
#include "./subtree.h"
#include "./language.h"
#include "./flat.h"

#define NOT_SHOWN UINT32_MAX
#define FAILED UINT32_MAX

// Children of a node whose fields are looked up once for all.
#define QUICK 16

// A node whose children are being visited.
typedef struct {
  const Subtree *children;
  uint32_t child_count;
  // The next child, by number, and by number among those that are no extras (comments).
  uint32_t child;
  uint32_t structural;
  // Where the child before ended.
  uint32_t position;
  // Its place in the array, unless it is hidden.
  uint32_t place;
  uint16_t production;
  // The field of a hidden node is that of the nodes shown in its place.
  TSFieldId field;
  const TSSymbol *aliases;
  // By structural number.
  TSFieldId fields[QUICK];
} Frame;

// The field that a production gives to a child, or `inherited`.
static TSFieldId field_of(
  const TSLanguage *language, uint16_t production, uint32_t structural, TSFieldId inherited
) {
  const TSFieldMapEntry *entry, *end;
  ts_language_field_map(language, production, &entry, &end);
  for (; entry < end; entry++) {
    if (!entry->inherited && entry->child_index == structural) return entry->field_id;
  }
  return inherited;
}

static void open_frame(
  Frame *frame, const TSLanguage *language, Subtree subtree, uint32_t start, uint32_t place,
  TSFieldId inherited
) {
  uint16_t production = subtree.ptr->production_id;
  frame->children = ts_subtree_children(subtree);
  frame->child_count = subtree.ptr->child_count;
  frame->child = 0;
  frame->structural = 0;
  frame->position = start;
  frame->place = place;
  frame->production = production;
  frame->field = inherited;
  frame->aliases = ts_language_alias_sequence(language, production);
  for (unsigned i = 0; i < QUICK; i++) frame->fields[i] = inherited;
  const TSFieldMapEntry *entry, *end;
  ts_language_field_map(language, production, &entry, &end);
  // Of several entries for a child the first counts.
  while (end > entry) {
    end--;
    if (!end->inherited && end->child_index < QUICK) {
      frame->fields[end->child_index] = end->field_id;
    }
  }
}

// Writes the nodes of the tree at `root` in preorder and returns how many. FAILED: there are more
// than `capacity`, or memory is short.
uint32_t code_syntax_flatten(TSNode root, FlatNode *nodes, uint32_t capacity) {
  const TSLanguage *language = ts_node_language(root);
  Subtree subtree = *(const Subtree *)root.id;
  if (capacity == 0) return FAILED;
  nodes[0] = (FlatNode) {
    .start = ts_node_start_byte(root),
    .end = ts_node_end_byte(root),
    .after = 1,
    .kind = ts_node_symbol(root),
    .named = ts_node_is_named(root),
    .missing = ts_node_is_missing(root),
  };
  uint32_t count = 1;
  if (ts_subtree_child_count(subtree) == 0) return count;

  uint32_t depth = 1, room = 64;
  Frame *frames = malloc(room * sizeof(Frame));
  if (!frames) return FAILED;
  open_frame(&frames[0], language, subtree, nodes[0].start, 0, 0);

  while (depth > 0) {
    Frame *frame = &frames[depth - 1];
    if (frame->child == frame->child_count) {
      if (frame->place != NOT_SHOWN) nodes[frame->place].after = count;
      depth--;
      continue;
    }
    Subtree child = frame->children[frame->child];
    // A small leaf is held in the place of the pointer to a larger one.
    bool visible, named, missing, extra;
    TSSymbol symbol;
    uint32_t padding, size, shown_below;
    if (child.data.is_inline) {
      visible = child.data.visible;
      named = child.data.named;
      missing = child.data.is_missing;
      extra = child.data.extra;
      symbol = child.data.symbol;
      padding = child.data.padding_bytes;
      size = child.data.size_bytes;
      shown_below = 0;
    } else {
      visible = child.ptr->visible;
      named = child.ptr->named;
      missing = child.ptr->is_missing;
      extra = child.ptr->extra;
      symbol = child.ptr->symbol;
      padding = child.ptr->padding.bytes;
      size = child.ptr->size.bytes;
      shown_below = child.ptr->child_count > 0 ? child.ptr->visible_child_count : 0;
    }
    // A node starts where its first child does.
    uint32_t start = frame->position + (frame->child > 0 ? padding : 0);
    uint32_t end = start + size;
    frame->position = end;
    frame->child++;

    TSSymbol alias = 0;
    TSFieldId field = 0;
    if (!extra) {
      uint32_t structural = frame->structural++;
      if (frame->aliases) alias = frame->aliases[structural];
      field = structural < QUICK
        ? frame->fields[structural]
        : field_of(language, frame->production, structural, frame->field);
    }

    uint32_t place = NOT_SHOWN;
    if (alias || visible) {
      if (count == capacity) {
        free(frames);
        return FAILED;
      }
      place = count++;
      if (alias) {
        symbol = alias;
        named = ts_language_symbol_metadata(language, alias).named;
      }
      nodes[place] = (FlatNode) {
        .start = start,
        .end = end,
        .after = count,
        .kind = symbol == ts_builtin_sym_error ? symbol : language->public_symbol_map[symbol],
        .field = field,
        .named = named,
        .missing = missing,
      };
    }
    if (shown_below == 0) continue;
    if (depth == room) {
      room *= 2;
      Frame *more = realloc(frames, room * sizeof(Frame));
      if (!more) {
        free(frames);
        return FAILED;
      }
      frames = more;
    }
    // What is below a hidden node stands in its place.
    open_frame(&frames[depth++], language, child, start, place, place == NOT_SHOWN ? field : 0);
  }
  free(frames);
  return count;
}
