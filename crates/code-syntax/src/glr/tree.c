// Syntax trees while they grow: subtree.c of tree-sitter, for trees that are never edited, hold no
// errors, and are all dropped together. A tree is a number; places in the text are absolute.

// Nodes that are kept from one text to the next, however long a text was.
#define KEPT 65536

typedef struct {
  TSSymbol symbol;
  // Of a leaf: the state in which it was lexed.
  uint16_t production;
  uint32_t child_count;
  union {
    // The place of the first child.
    uint32_t children;
    // Of a leaf: the state of the external scanner after it.
    uint32_t scanner_state;
  };
  // Of a node without children: 0, whatever its production says.
  int32_t dynamic_precedence;
  // Where the tree before it ended.
  uint32_t before;
  uint32_t start;
  uint32_t end;
  bool extra;
  bool is_keyword;
  // Of a leaf: the external scanner found it.
  bool is_external;
} Tree;

typedef struct {
  // Number 0 is no tree.
  Tree *trees;
  uint32_t count;
  uint32_t room;
  uint32_t *children;
  uint32_t child_count;
  uint32_t child_room;
  // Pairs of trees to be compared.
  uint32_t *pairs;
  uint32_t pair_room;
  // Memory is short, or numbers are.
  bool failed;
} Forest;

// The elements in a larger place, or where they were when memory is short.
static void *grow(void *elements, uint32_t *room, size_t size, uint64_t wanted) {
  if (wanted < 2 * (uint64_t)*room) wanted = 2 * (uint64_t)*room;
  if (wanted < 64) wanted = 64;
  if (wanted > INT32_MAX) return elements;
  void *grown = realloc(elements, (size_t)wanted * size);
  if (!grown) return elements;
  *room = (uint32_t)wanted;
  return grown;
}

// Makes room for `more` elements after the first `count`. False where memory is short.
#define MAKE_ROOM(elements, room, count, more) \
  ((uint64_t)(count) + (more) <= (room) || ( \
    (elements) = grow(elements, &(room), sizeof(*(elements)), (uint64_t)(count) + (more)), \
    (uint64_t)(count) + (more) <= (room) \
  ))

static void forest_clear(Forest *self) {
  if (self->room > KEPT) {
    free(self->trees);
    self->trees = NULL;
    self->room = 0;
  }
  if (self->child_room > KEPT) {
    free(self->children);
    self->children = NULL;
    self->child_room = 0;
  }
  self->count = 0;
  self->child_count = 0;
  self->failed = !MAKE_ROOM(self->trees, self->room, 0, 64);
  if (!self->failed) self->trees[self->count++] = (Tree) {0};
}

static void forest_delete(Forest *self) {
  free(self->trees);
  free(self->children);
  free(self->pairs);
}

static inline uint32_t forest_add(Forest *self, Tree tree) {
  if (self->count == self->room && !MAKE_ROOM(self->trees, self->room, self->count, 1)) {
    self->failed = true;
    return 0;
  }
  self->trees[self->count] = tree;
  return self->count++;
}

// Room for children, to be filled in from the place that `child_count` tells.
static inline uint32_t *forest_child_room(Forest *self, uint32_t count) {
  // One more, so that there is a place also where there are no children.
  if (!MAKE_ROOM(self->children, self->child_room, self->child_count, (uint64_t)count + 1)) {
    self->failed = true;
    return NULL;
  }
  return &self->children[self->child_count];
}

// A node over the `count` children that have been written to the room for them; without any, it
// stands at `position`.
static inline uint32_t forest_add_node(
  Forest *self, TSSymbol symbol, uint16_t production, uint32_t count, uint32_t position
) {
  Tree node = {
    .symbol = symbol,
    .production = production,
    .child_count = count,
    .children = self->child_count,
    .before = position,
    .start = position,
    .end = position,
  };
  if (count > 0) {
    const uint32_t *children = &self->children[self->child_count];
    const Tree *first = &self->trees[children[0]];
    node.before = first->before;
    node.start = first->start;
    node.end = self->trees[children[count - 1]].end;
    for (uint32_t i = 0; i < count; i++) {
      node.dynamic_precedence += self->trees[children[i]].dynamic_precedence;
    }
    self->child_count += count;
  }
  return forest_add(self, node);
}

static int forest_compare(Forest *self, uint32_t left, uint32_t right) {
  uint32_t count = 0;
  if (!MAKE_ROOM(self->pairs, self->pair_room, 0, 2)) {
    self->failed = true;
    return 0;
  }
  self->pairs[count++] = left;
  self->pairs[count++] = right;
  while (count > 0) {
    const Tree *b = &self->trees[self->pairs[--count]];
    const Tree *a = &self->trees[self->pairs[--count]];
    if (a->symbol != b->symbol) return a->symbol < b->symbol ? -1 : 1;
    if (a->child_count != b->child_count) return a->child_count < b->child_count ? -1 : 1;
    if (!MAKE_ROOM(self->pairs, self->pair_room, count, 2 * a->child_count)) {
      self->failed = true;
      return 0;
    }
    for (uint32_t i = a->child_count; i > 0; i--) {
      self->pairs[count++] = self->children[a->children + i - 1];
      self->pairs[count++] = self->children[b->children + i - 1];
    }
  }
  return 0;
}

// Whether `right` is to take the place of `left`.
static bool forest_prefers(Forest *self, uint32_t left, uint32_t right) {
  int32_t a = self->trees[left].dynamic_precedence, b = self->trees[right].dynamic_precedence;
  if (a != b) return b > a;
  return forest_compare(self, left, right) > 0;
}
