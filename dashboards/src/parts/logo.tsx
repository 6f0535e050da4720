// Two ribbons that stream from a stay: the telltales of a sail.
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" fill="none" stroke-linecap="round" stroke-width="3" aria-hidden="true">
      <circle cx="6" cy="16" r="2.8" class="logo-a-fill" />
      <path d="M11 12.500c4-4.5 7-4.5 10-1.500s5 2.5 8 0" class="logo-a" />
      <path d="M11 19.500c4 4.5 7 4.5 10 1.500s5-2.5 8 0" class="logo-b" />
    </svg>
  )
}
