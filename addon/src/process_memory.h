// Memory of this process that it does not need any more.
#ifndef ADDON_PROCESS_MEMORY_H_
#define ADDON_PROCESS_MEMORY_H_

// Gives freed memory back to the system, now and from now on.
void ReturnFreedMemory();

// Takes the pages of the program file and of this addon out of the memory of the process. What is
// needed of them comes back from the page cache at the next access; what only the start needed
// does not. Pages that differ from the file stay.
void ReleaseProgramPages();

#endif  // ADDON_PROCESS_MEMORY_H_
