package dialog

import (
	"image"
	"image/color"
	"image/draw"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	width      = 460 // pixels
	margin     = 20
	lineHeight = 22
	textSize   = 15
	buttonHigh = 36
	buttonGap  = 12
)

var (
	paper  = color.RGBA{0xFF, 0xFF, 0xFF, 0xFF}
	ink    = color.RGBA{0x1B, 0x1F, 0x24, 0xFF}
	muted  = color.RGBA{0x57, 0x60, 0x6A, 0xFF}
	accent = color.RGBA{0x0A, 0x58, 0xCA, 0xFF}
	face   = color.RGBA{0xEE, 0xF1, 0xF4, 0xFF}
)

// layout is where things stand in the window.
type layout struct {
	task          Task
	regular, bold font.Face
	lines         []string
	buttons       []image.Rectangle
	size          image.Point
}

func newLayout(t Task) (*layout, error) {
	l := &layout{task: t}
	var err error
	if l.regular, err = newFace(goregular.TTF); err != nil {
		return nil, err
	}
	if l.bold, err = newFace(gobold.TTF); err != nil {
		return nil, err
	}
	for _, text := range t.Lines {
		l.lines = append(l.lines, l.wrap(Plain(text))...)
	}
	below := margin + lineHeight*(2+len(l.lines)) // with the title, and a line for the time
	wide := (width - 2*margin - buttonGap*(len(t.Buttons)-1)) / len(t.Buttons)
	for i := range t.Buttons {
		x := margin + i*(wide+buttonGap)
		l.buttons = append(l.buttons, image.Rect(x, below, x+wide, below+buttonHigh))
	}
	l.size = image.Pt(width, below+buttonHigh+margin)
	return l, nil
}

func newFace(ttf []byte) (font.Face, error) {
	f, err := opentype.Parse(ttf)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingFull})
}

// wrap breaks a text into lines that fit.
func (l *layout) wrap(text string) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		for _, part := range l.pieces(word) {
			switch {
			case line == "":
				line = part
			case l.fits(line + " " + part):
				line += " " + part
			default:
				lines, line = append(lines, line), part
			}
		}
	}
	return append(lines, line)
}

// pieces breaks a word that is too long by itself.
func (l *layout) pieces(word string) (all []string) {
	part := ""
	for _, r := range word {
		if part != "" && !l.fits(part+string(r)) {
			all, part = append(all, part), ""
		}
		part += string(r)
	}
	return append(all, part)
}

func (l *layout) fits(text string) bool {
	return font.MeasureString(l.regular, text).Ceil() <= width-2*margin
}

// at returns the button at a point, or Nothing.
func (l *layout) at(p image.Point) int {
	for i, b := range l.buttons {
		if p.In(b) {
			return i
		}
	}
	return Nothing
}

// draw paints the window: with the button that has the focus, and a line about the time.
func (l *layout) draw(focus int, time string) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: l.size})
	draw.Draw(img, img.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	y := margin + textSize
	text(img, l.bold, ink, margin, y, Plain(l.task.Title))
	for _, line := range l.lines {
		y += lineHeight
		text(img, l.regular, ink, margin, y, line)
	}
	text(img, l.regular, muted, margin, y+lineHeight, time)
	for i, b := range l.buttons {
		back, front := face, ink
		if i == focus {
			back, front = accent, paper
		}
		draw.Draw(img, b, image.NewUniform(back), image.Point{}, draw.Src)
		label := Plain(l.task.Buttons[i])
		x := b.Min.X + (b.Dx()-font.MeasureString(l.bold, label).Ceil())/2
		text(img, l.bold, front, x, b.Min.Y+(buttonHigh+textSize)/2-2, label)
	}
	return img
}

func text(img draw.Image, f font.Face, c color.Color, x, y int, s string) {
	d := font.Drawer{Dst: img, Src: image.NewUniform(c), Face: f, Dot: fixed.P(x, y)}
	d.DrawString(s)
}
