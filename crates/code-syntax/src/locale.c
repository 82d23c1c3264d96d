// The locale whose classes of characters the grammars' scanners see; see locale.rs.
#define _POSIX_C_SOURCE 200809L

#include <stddef.h>

#if defined(__unix__) || defined(__APPLE__)

#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

// Null where the system has none of the names.
void *code_syntax_locale_new(void) {
  static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    locale_t locale = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
    if (locale != (locale_t)0) {
      return (void *)locale;
    }
  }
  return NULL;
}

// Gives this thread another locale, and back the one that it had.
void *code_syntax_locale_use(void *locale) {
  return (void *)uselocale((locale_t)locale);
}

#else

void *code_syntax_locale_new(void) {
  return NULL;
}

void *code_syntax_locale_use(void *locale) {
  return locale;
}

#endif
