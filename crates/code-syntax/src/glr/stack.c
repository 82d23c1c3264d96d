// The parse stack in its versions, which share what they have in common: stack.c of tree-sitter.

#define MAX_LINK_COUNT 8
#define MAX_ITERATOR_COUNT 64
// What is given up rather than held.
#define MAX_HEADS 192
#define MAX_SLICES 192
#define MAX_MERGE_DEPTH 256
#define ALL UINT32_MAX

typedef struct {
  uint32_t node;
  uint32_t tree;
} Link;

typedef struct {
  // The first link, which all but the bottom has.
  Link link;
  uint32_t position;
  int32_t dynamic_precedence;
  TSStateId state;
  uint8_t link_count;
  // The tree of the first link is an extra.
  bool extra;
  // The place of the other links, if there ever were any.
  uint32_t more;
} StackNode;

typedef enum { Active, Paused, Halted } Status;

typedef struct {
  uint32_t node;
  // The state of the external scanner after the last token of its own.
  uint32_t scanner_state;
  Status status;
} Head;

// Trees that were popped, the lowest first.
typedef struct {
  uint32_t tree;
  uint32_t next;
} Cell;

typedef struct {
  uint32_t cells;
  uint32_t version;
} Slice;

typedef struct {
  uint32_t node;
  uint32_t cells;
  uint32_t count;
} Iterator;

typedef struct {
  Forest *forest;
  StackNode *nodes;
  uint32_t node_count;
  uint32_t node_room;
  // While there is one version only, a node above its head is nobody's, unless it is below this.
  uint32_t floor;
  Link *links;
  uint32_t link_count;
  uint32_t link_room;
  Cell *cells;
  uint32_t cell_count;
  uint32_t cell_room;
  Head heads[MAX_HEADS];
  uint32_t head_count;
  Slice slices[MAX_SLICES];
  uint32_t slice_count;
  Iterator iterators[MAX_ITERATOR_COUNT];
  bool failed;
} Stack;

static void stack_clear(Stack *self) {
  if (self->node_room > KEPT) {
    free(self->nodes);
    self->nodes = NULL;
    self->node_room = 0;
  }
  if (self->link_room > KEPT) {
    free(self->links);
    self->links = NULL;
    self->link_room = 0;
  }
  self->failed = !MAKE_ROOM(self->nodes, self->node_room, 0, 64);
  if (self->failed) return;
  self->nodes[0] = (StackNode) {.state = 1};
  self->node_count = 1;
  self->floor = 1;
  self->link_count = 0;
  self->heads[0] = (Head) {.node = 0, .status = Active};
  self->head_count = 1;
}

static void stack_delete(Stack *self) {
  free(self->nodes);
  free(self->links);
  free(self->cells);
}

static inline StackNode *stack_head(const Stack *self, uint32_t version) {
  return &self->nodes[self->heads[version].node];
}

static inline void stack_push(Stack *self, uint32_t version, uint32_t tree, TSStateId state) {
  uint32_t below = self->heads[version].node;
  if (self->head_count == 1) {
    self->node_count = below < self->floor ? self->floor : below + 1;
  }
  if (
    self->node_count == self->node_room &&
    !MAKE_ROOM(self->nodes, self->node_room, self->node_count, 1)
  ) {
    self->failed = true;
    return;
  }
  const Tree *pushed = &self->forest->trees[tree];
  self->nodes[self->node_count] = (StackNode) {
    .link = {.node = below, .tree = tree},
    .position = pushed->end,
    .dynamic_precedence = self->nodes[below].dynamic_precedence + pushed->dynamic_precedence,
    .state = state,
    .link_count = 1,
    .extra = pushed->extra,
  };
  self->heads[version].node = self->node_count++;
  if (self->head_count > 1) self->floor = self->node_count;
}

static Link stack_link(const Stack *self, const StackNode *node, uint32_t number) {
  return number == 0 ? node->link : self->links[node->more + number - 1];
}

static void stack_set_link(Stack *self, StackNode *node, uint32_t number, Link link) {
  if (number == 0) {
    node->link = link;
    node->extra = self->forest->trees[link.tree].extra;
  } else {
    self->links[node->more + number - 1] = link;
  }
}

// Whether two states of the external scanner are the same is asked of the parser.
struct Parser;
static bool scanner_state_eq(const struct Parser *parser, uint32_t a, uint32_t b);

static bool stack_tree_eq(
  const Stack *self, const struct Parser *parser, uint32_t left, uint32_t right
) {
  if (left == right) return true;
  const Tree *a = &self->forest->trees[left], *b = &self->forest->trees[right];
  uint32_t a_state = a->is_external ? a->scanner_state : 0;
  uint32_t b_state = b->is_external ? b->scanner_state : 0;
  return a->symbol == b->symbol &&
    a->start - a->before == b->start - b->before &&
    a->end - a->start == b->end - b->start &&
    a->child_count == b->child_count &&
    a->extra == b->extra &&
    scanner_state_eq(parser, a_state, b_state);
}

static void stack_add_link(
  Stack *self, const struct Parser *parser, uint32_t to, Link link, uint32_t depth
) {
  if (link.node == to) return;
  if (depth == MAX_MERGE_DEPTH) {
    self->failed = true;
    return;
  }
  StackNode *node = &self->nodes[to];
  StackNode *below = &self->nodes[link.node];
  int32_t precedence = self->forest->trees[link.tree].dynamic_precedence;
  for (uint32_t i = 0; i < node->link_count; i++) {
    Link existing = stack_link(self, node, i);
    if (!stack_tree_eq(self, parser, existing.tree, link.tree)) continue;
    // Of two trees between the same nodes one is enough.
    if (existing.node == link.node) {
      if (precedence > self->forest->trees[existing.tree].dynamic_precedence) {
        stack_set_link(self, node, i, link);
        node->dynamic_precedence = below->dynamic_precedence + precedence;
      }
      return;
    }
    const StackNode *other = &self->nodes[existing.node];
    if (other->state == below->state && other->position == below->position) {
      // No node is added below, so that pointers to nodes stay valid; links may move.
      for (uint32_t j = 0; j < below->link_count; j++) {
        stack_add_link(self, parser, existing.node, stack_link(self, below, j), depth + 1);
      }
      precedence += below->dynamic_precedence;
      if (precedence > node->dynamic_precedence) node->dynamic_precedence = precedence;
      return;
    }
  }
  if (node->link_count == MAX_LINK_COUNT) return;
  if (node->link_count == 1) {
    if (!MAKE_ROOM(self->links, self->link_room, self->link_count, MAX_LINK_COUNT - 1)) {
      self->failed = true;
      return;
    }
    node->more = self->link_count;
    self->link_count += MAX_LINK_COUNT - 1;
  }
  stack_set_link(self, node, node->link_count++, link);
  precedence += below->dynamic_precedence;
  if (precedence > node->dynamic_precedence) node->dynamic_precedence = precedence;
}

static void stack_remove_version(Stack *self, uint32_t version) {
  self->head_count--;
  memmove(
    &self->heads[version], &self->heads[version + 1],
    (self->head_count - version) * sizeof(Head)
  );
}

static bool stack_merge(Stack *self, const struct Parser *parser, uint32_t to, uint32_t from) {
  const Head *a = &self->heads[to], *b = &self->heads[from];
  if (a->status != Active || b->status != Active) return false;
  const StackNode *a_node = &self->nodes[a->node], *b_node = &self->nodes[b->node];
  if (a_node->state != b_node->state || a_node->position != b_node->position) return false;
  if (!scanner_state_eq(parser, a->scanner_state, b->scanner_state)) return false;
  for (uint32_t i = 0; i < b_node->link_count; i++) {
    stack_add_link(self, parser, a->node, stack_link(self, b_node, i), 0);
  }
  stack_remove_version(self, from);
  return true;
}

static void stack_add_slice(Stack *self, uint32_t original, uint32_t node, uint32_t cells) {
  if (self->slice_count == MAX_SLICES || self->head_count == MAX_HEADS) {
    self->failed = true;
    return;
  }
  for (uint32_t i = self->slice_count; i > 0; i--) {
    uint32_t version = self->slices[i - 1].version;
    if (self->heads[version].node == node) {
      memmove(&self->slices[i + 1], &self->slices[i], (self->slice_count - i) * sizeof(Slice));
      self->slices[i] = (Slice) {.cells = cells, .version = version};
      self->slice_count++;
      return;
    }
  }
  self->heads[self->head_count] = (Head) {
    .node = node,
    .scanner_state = self->heads[original].scanner_state,
    .status = Active,
  };
  self->slices[self->slice_count++] = (Slice) {.cells = cells, .version = self->head_count++};
}

// Pops `goal` trees that are no extras, or ALL, on every way down from a version's head: each way
// gives a slice, and each node where ways end a new version.
static void stack_pop(Stack *self, uint32_t version, uint32_t goal) {
  self->slice_count = 0;
  self->cell_count = 1;
  uint32_t count = 1;
  self->iterators[0] = (Iterator) {.node = self->heads[version].node};
  while (count > 0) {
    for (uint32_t i = 0, size = count; i < size; i++) {
      Iterator iterator = self->iterators[i];
      const StackNode *node = &self->nodes[iterator.node];
      bool is_bottom = node->link_count == 0;
      bool should_pop = goal == ALL ? is_bottom : iterator.count == goal;
      if (should_pop) stack_add_slice(self, version, iterator.node, iterator.cells);
      if (should_pop || is_bottom) {
        count--;
        memmove(
          &self->iterators[i], &self->iterators[i + 1], (count - i) * sizeof(Iterator)
        );
        i--;
        size--;
        continue;
      }
      if (
        !MAKE_ROOM(self->cells, self->cell_room, self->cell_count, MAX_LINK_COUNT)
      ) {
        self->failed = true;
        return;
      }
      for (uint32_t j = 1; j <= node->link_count; j++) {
        Link link;
        Iterator *next;
        if (j == node->link_count) {
          link = node->link;
          next = &self->iterators[i];
        } else {
          if (count == MAX_ITERATOR_COUNT) continue;
          link = stack_link(self, node, j);
          next = &self->iterators[count++];
        }
        self->cells[self->cell_count] = (Cell) {.tree = link.tree, .next = iterator.cells};
        *next = (Iterator) {
          .node = link.node,
          .cells = self->cell_count++,
          .count = iterator.count + !self->forest->trees[link.tree].extra,
        };
      }
    }
  }
}
