// The compiled BPF programs that are linked into the addon (bpf_object.S).
#ifndef ADDON_EMBEDDED_OBJECT_H_
#define ADDON_EMBEDDED_OBJECT_H_

#include <cstdint>

#include "handles.h"

// Opens a fresh copy of the programs that count, not loaded. Throws BpfError.
ObjectPtr OpenEmbeddedObject();

// Opens a fresh copy of the self-test. Throws BpfError.
ObjectPtr OpenSelfTest();

// Tells one build of the programs that count from another.
uint64_t EmbeddedObjectBuild();

#endif  // ADDON_EMBEDDED_OBJECT_H_
