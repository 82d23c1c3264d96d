// `FlatNode` in flat.rs.

#ifndef CODE_SYNTAX_FLAT_H_
#define CODE_SYNTAX_FLAT_H_

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint32_t start;
  uint32_t end;
  uint32_t after;
  uint16_t kind;
  uint16_t field;
  bool named;
  bool missing;
} FlatNode;

#endif
