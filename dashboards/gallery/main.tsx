// Every widget of the page with fixed data, to be looked at in every theme and width: `make ui-gallery`. `?theme=dark` and
// `?only=NAME` choose; beside each other are `?beside`: light, dark and a phone.
import './fixed'
import { signal } from '@preact/signals'
import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import '../src/styles/tokens.css'
import '../src/styles/base.css'
import '../src/styles/parts.css'
import '../src/styles/devices.css'
import '../src/styles/device.css'
import '../src/styles/explore.css'
import '../src/styles/status.css'
import '../src/styles/media.css'
import './gallery.css'
import { followPrint } from '../src/print'
import { followTheme, type Theme, theme } from '../src/theme'
import { SPECIMENS, type Specimen } from './specimens'

const query = new URLSearchParams(location.search)
const only = query.get('only')
const typed = signal('')

function Gallery() {
  const wanted = typed.value.toLowerCase()
  const found = SPECIMENS.filter(({ name, title }) =>
    only === null ? `${name} ${title}`.toLowerCase().includes(wanted) : name === only,
  )
  return (
    <main class="gallery">
      <div class="bar">
        <h1>Gallery</h1>
        <input
          type="search"
          aria-label="Search the gallery"
          placeholder={`Search ${SPECIMENS.length} widgets`}
          value={typed.value}
          onInput={(event) => {
            typed.value = event.currentTarget.value
          }}
        />
        <nav aria-label="Colours" class="pages">
          {['light', 'dark'].map((name) => (
            <a key={name} href={`?theme=${name}`} aria-current={theme.value === name ? 'page' : undefined}>
              {name}
            </a>
          ))}
          <a href="?beside">beside each other</a>
        </nav>
      </div>
      {found.map((one) => (
        <Section key={one.name} {...one} />
      ))}
    </main>
  )
}

function Section({ name, title, says, show: Show }: Specimen) {
  return (
    <section class="specimen" id={name} aria-label={title}>
      <h2>{title}</h2>
      {says !== undefined && <p class="hint">{says}</p>}
      <Show />
    </section>
  )
}

function Beside() {
  const frames: readonly [string, string, string][] = [
    ['light', '?theme=light', 'wide'],
    ['dark', '?theme=dark', 'wide'],
    ['phone', '?theme=light', 'phone'],
  ]
  return (
    <div class="beside">
      {frames.map(([title, src, size]) => (
        <iframe key={title} title={title} src={src} class={size} />
      ))}
    </div>
  )
}

const chosen = query.get('theme')
if (chosen === 'light' || chosen === 'dark') theme.value = chosen satisfies Theme
followTheme()
followPrint()

const root = document.getElementById('app')
if (root === null) throw new Error('index.html has no element #app')
render(query.has('beside') ? <Beside /> : <Gallery />, root)
