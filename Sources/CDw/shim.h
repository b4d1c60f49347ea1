#pragma once
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stddef.h>

// Swift's rule of exclusive access forbids one variable to be both arguments.
static inline int dw_next_sibling(Dwarf_Die *die) { return dwarf_siblingof(die, die); }

// The DIE that an attribute refers to in its own file; those in others, and by signature, lead to units unseen.
static inline _Bool dw_follow_reference(Dwarf_Attribute *attribute, Dwarf_Die *die) {
  switch (attribute->form) {
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
    case DW_FORM_ref_addr:
      return dwarf_formref_die(attribute, die) != NULL;
    default:
      return 0;
  }
}

// dwarf_addrdie but for the last step: the DIE is not yet looked at.
static inline _Bool dw_unit_at(Dwarf *dwarf, Dwarf_Addr address, Dwarf_Off *offset) {
  Dwarf_Aranges *ranges;
  size_t count;
  if (dwarf_getaranges(dwarf, &ranges, &count) != 0) return 0;
  return dwarf_getarangeinfo(dwarf_getarange_addr(ranges, address), NULL, NULL, offset) == 0;
}

// The value of an attribute that is a string, NULL where it is none.
static inline const char *dw_text(Dwarf_Die *die, unsigned name) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

// dwarf_diename without the search through other DIEs that it may refer to.
static inline const char *dw_own_name(Dwarf_Die *die) { return dw_text(die, DW_AT_name); }

// The value of an attribute that is a constant; false where it is none.
static inline _Bool dw_constant(Dwarf_Die *die, unsigned name, Dwarf_Word *value) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, value) == 0;
}

// The same for a constant that may be negative.
static inline _Bool dw_signed_constant(Dwarf_Die *die, unsigned name, Dwarf_Sword *value) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) && dwarf_formsdata(&attribute, value) == 0;
}

// DW_AT_data_member_location: a constant, or the expression DW_OP_plus_uconst N of DWARF 2.
static inline _Bool dw_member_location(Dwarf_Die *die, Dwarf_Word *offset) {
  Dwarf_Attribute attribute;
  Dwarf_Op *operations;
  size_t count;
  if (!dwarf_attr(die, DW_AT_data_member_location, &attribute)) return 0;
  if (dwarf_formudata(&attribute, offset) == 0) return 1;
  if (dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1) return 0;
  if (operations[0].atom != DW_OP_plus_uconst) return 0;
  *offset = operations[0].number;
  return 1;
}

static inline int dw_find_no_file(
    Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file, const char *link,
    GElf_Word checksum, char **found) {
  return -1;
}

// The DWARF of a relocatable object with its relocations applied, which dwarf_begin does not do; no other
// file is searched. It lives as long as the returned Dwfl.
static inline Dwfl *dw_open_relocatable(const char *path, Dwarf **dwarf) {
  static const Dwfl_Callbacks callbacks = {
      .find_debuginfo = dw_find_no_file, .section_address = dwfl_offline_section_address};
  Dwfl *session = dwfl_begin(&callbacks);
  if (!session) return NULL;
  Dwarf_Addr bias;
  Dwfl_Module *module = dwfl_report_offline(session, "", path, -1);
  *dwarf = module ? dwfl_module_getdwarf(module, &bias) : NULL;
  if (*dwarf) return session;
  dwfl_end(session);
  return NULL;
}
