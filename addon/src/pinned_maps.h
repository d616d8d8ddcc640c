// Maps of an object that is opened, and those that are pinned already.
#ifndef ADDON_PINNED_MAPS_H_
#define ADDON_PINNED_MAPS_H_

#include <bpf/libbpf.h>

#include "pins.h"

// Whether a map holds constants: they belong to the programs that were loaded with them.
bool IsConstant(const bpf_map* map);

// Before the load: lets the object use the maps that are pinned. Throws BpfError EBADMSG where one
// is of another shape.
void ReuseMaps(bpf_object* object, const Pins& pins);

// After the load: pins the maps that are not. Throws BpfError.
void PinMaps(const bpf_object* object, const Pins& pins);

#endif  // ADDON_PINNED_MAPS_H_
