// The compiled BPF programs that are linked into the addon (bpf_object.S).
#ifndef ADDON_EMBEDDED_OBJECT_H_
#define ADDON_EMBEDDED_OBJECT_H_

#include "handles.h"

// Opens a fresh copy of the programs that count, not loaded. Throws BpfError.
ObjectPtr OpenEmbeddedObject();

// The same of the self-test. Throws BpfError.
ObjectPtr OpenSelfTest();

#endif  // ADDON_EMBEDDED_OBJECT_H_
